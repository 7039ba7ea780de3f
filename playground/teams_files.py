"""Files and pictures in messages: how the bot is told of them, and the server that has them."""

import mimetypes
import secrets
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from playground.slack_clock import Clock
from playground.teams_edge import Edge
from playground.teams_state import Conversation, File, Kind, Workspace
from playground.teams_wire import Refused, Wire

DOWNLOAD_INFO: Final = "application/vnd.microsoft.teams.file.download.info"
LINK_LIVES_S: Final = 3600

Shared = tuple[list[Wire], str]
"""Attachments as the bot gets them, and the HTML that stands for them in the message."""


class Files:
    """Keeps what people share; serves downloads by their own links.

    `leaks` counts requests that brought the bot's token along: those links need none, and it is not theirs.
    """

    def __init__(self, workspace: Workspace, clock: Clock, edge: Edge) -> None:
        self.leaks = 0
        self._workspace = workspace
        self._clock = clock
        self._edge = edge

    def share(self, home: Conversation, files: Mapping[str, bytes], images: Mapping[str, bytes]) -> Shared:
        """Put files and pasted pictures (name -> content) into a message.

        A bot gets them in personal chats only; elsewhere nothing but traces in the HTML tells of them.
        """
        attachments: list[Wire] = []
        markup = ""
        for name, content in files.items():
            key = self._keep(
                File(name, content, _type_of(name), secrets.token_urlsafe(8), self._link_until())
            )
            attachments.append(self._download_info(key, name))
            markup += f'<attachment id="{key}"></attachment>'
        for name, content in images.items():
            key = self._keep(File(name, content, _type_of(name)))
            url = f"{self._workspace.service_url(home.tenant)}v3/attachments/{key}/views/original"
            attachments.append({"contentType": _type_of(name), "contentUrl": url})
            markup += f'<img src="{url}" alt="{name}">'
        return (attachments if home.kind is Kind.PERSONAL else []), markup

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`GET /files/{id}/{name}?tempauth=...`."""

        def answer() -> web.Response:
            if "Authorization" in request.headers:
                self.leaks += 1
                raise Refused("BadArgument", "this link needs no token, and must not get one")
            file = self._workspace.files.get(request.match_info["id"])
            if file is None:
                raise Refused("NotFound", request.match_info["id"])
            if request.query.get("tempauth") != file.key or self._clock.now() >= file.link_until:
                raise Refused("Unauthorized", "the link is not valid, or not any more")
            return web.Response(body=file.content, content_type=file.media_type)

        return await self._edge.serve(request, "file", dict(request.match_info), answer)

    def _keep(self, file: File) -> str:
        key = f"0-weu-{len(self._workspace.files) + 1:04d}"
        self._workspace.files[key] = file
        return key

    def _link_until(self) -> float:
        return self._clock.now() + LINK_LIVES_S

    def _download_info(self, key: str, name: str) -> Wire:
        file = self._workspace.files[key]
        return {
            "contentType": DOWNLOAD_INFO,
            "name": name,
            "contentUrl": f"https://acme.sharepoint.test/personal/Documents/{name}",
            "content": {
                "downloadUrl": f"{self._workspace.base_url}/files/{key}/{name}?tempauth={file.key}",
                "uniqueId": key,
                "fileType": name.rpartition(".")[2],
            },
        }


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
