"""Microsoft 365 Agents Playground, Microsoft's own client for bots: its process, people and page."""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from playground.stage import HOST
from playground.teams_state import BOT, TENANT

Wire = dict[str, Any]

CHANNEL: Final = "19:eng@thread.tacv2"
CHAT: Final = "a:ann"
ME: Final = "29:ann"

_PROGRAM: Final = "node_modules/@microsoft/m365agentsplayground/cli.js"
_STREAM: Final = "/_ws_conversation/v1/conversations/stream"
_SCRIPT: Final = "/_conversation/v1"
_AT_US: Final = "<at>linear</at>"
_PEOPLE: Final = ("ann", "bob", "eve", "nia", "gus", "zoe")
"""The first one is at the keyboard; the client wants five others."""


class AgentsPlayground:
    """Runs while `open` is; `seen` are the actions that its page was told, see `watched`.

    One team with the channels General and eng, a group chat, and Ann's chat with us. It knows no reactions
    (404) and no deletion of messages (501).

    Args:
        folder: Where npm put it.
        data: For its configuration and its log.
        port: It must be free.
    """

    def __init__(self, folder: Path, data: Path, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.seen: list[Wire] = []
        self.process: Process | None = None
        self._folder = folder
        self._data = data
        self._port = port

    @asynccontextmanager
    async def open(self, *, bot: str, service_url: str) -> AsyncIterator[None]:
        """Start it for the bot at that address; `is_up` says when it can be used."""
        (self._data / "client.yml").write_text(json.dumps(_config()))  # JSON is YAML, too.
        self.process = process = await self._started(bot, service_url)
        try:
            async with aiohttp.ClientSession(self.url) as self._http:
                yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def is_up(self) -> bool:
        if self.process is not None and self.process.returncode is not None:
            raise AssertionError(f"the client ended with {self.process.returncode}:\n{self.log}")
        try:
            async with self._http.get("/_debug/ping") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self._data / "client.log").read_text(errors="replace")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Be its page: it is told what to show from now on."""
        async with self._http.ws_connect(_STREAM) as stream:
            reading = asyncio.create_task(self._read(stream))
            try:
                yield
            finally:
                await stream.close()
                await reading

    async def say(self, conversation: str, text: str, *, mention: bool = False) -> Wire:
        """Ann writes it in a channel, a thread or a chat: ids of the message and of a thread it begins."""
        mentions = [{"mentioned": {"id": BOT}, "text": _AT_US}] if mention else []
        said = {"text": f"{_AT_US} {text}" if mention else text, "textFormat": "plain", "mentions": mentions}
        answer = await self._post(f"/conversations/{conversation}/messages", {"from": {"id": ME}, **said})
        assert isinstance(answer, dict)
        return answer

    async def press(self, conversation: str, title: str) -> Wire:
        """Ann presses the newest button with that title; what we answer."""
        for message in reversed(self.shown(conversation)):
            for action in actions_of(message):
                if action["title"] == title:
                    value = {"action": action, "trigger": "manual"}
                    about = {"conversation": {"id": conversation}, "replyToId": message["messageId"]}
                    pressed = {"name": "adaptiveCard/action", "value": value, "from": {"id": ME}, **about}
                    answer = await self._post("/invoke", pressed)
                    assert isinstance(answer, dict)
                    return answer
        raise AssertionError(f"no button {title}: {self.texts(conversation)}")

    def shown(self, conversation: str) -> list[Wire]:
        """Our messages as the page shows them now, oldest first."""
        messages: dict[str, Wire] = {}
        for told in self.seen:
            if told["actionConversationId"] == conversation and told["action"] in (
                "createMessage",
                "updateMessage",
            ):
                messages[told["message"]["messageId"]] = told["message"]
        return list(messages.values())

    def texts(self, conversation: str) -> list[str]:
        """What can be read in each of them."""
        return [text_of(message) for message in self.shown(conversation)]

    def versions(self, message: str) -> list[str]:
        """What could be read in a message: when it came, and after each edit."""
        told = [each for each in self.seen if each.get("message", {}).get("messageId") == message]
        assert [each["action"] for each in told] == ["createMessage", *["updateMessage"] * (len(told) - 1)]
        return [text_of(each["message"]) for each in told]

    async def _read(self, stream: aiohttp.ClientWebSocketResponse) -> None:
        async for message in stream:
            self.seen.append(json.loads(message.data))

    async def _post(self, path: str, body: Wire) -> object:
        async with self._http.post(f"{_SCRIPT}{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def _started(self, bot: str, service_url: str) -> Process:
        return await asyncio.create_subprocess_exec(
            *("node", "--require", str(self._folder / "loopback.cjs"), str(self._folder / _PROGRAM)),
            *("start", "--disable-telemetry", "-c", "msteams", "-p", str(self._port)),
            *("-e", bot, "--service-url", service_url),
            cwd=self._data,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self._data),
                "TEAMSAPPTESTER_BROWSER": "none",
                "M365_AGENTS_PLAYGROUND_CONFIG_PATH": str(self._data / "client.yml"),
                "M365_AGENTS_PLAYGROUND_LOGFILE": str(self._data / "client.log"),
            },
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )


def actions_of(message: Wire) -> list[Wire]:
    """The buttons of a message's card."""
    return [action for each in message["attachments"] for action in each["content"].get("actions", ())]


def text_of(message: Wire) -> str:
    """What can be read in a message, a line for each element of its card."""
    cards = [each["content"] for each in message["attachments"]]
    lines = [_line(element) for each in cards for element in each["body"]]
    buttons = " ".join(f"[{action['title']}]" for action in actions_of(message))
    return "\n".join(filter(None, [message.get("text") or "", *lines, buttons]))


def _line(element: Wire) -> str:
    written = element.get("text") or "".join(run["text"] for run in element.get("inlines", ()))
    assert isinstance(written, str)
    return written


def _config() -> Wire:
    me, *others = [_person(number, name) for number, name in enumerate(_PEOPLE)]
    return {
        "version": "0.1.1",
        "tenantId": TENANT,
        "bot": {"id": BOT, "name": "linear"},
        "currentUser": me,
        "users": others,
        "personalChat": {"id": CHAT},
        "groupChat": {"id": "19:group@thread.v2", "name": "Search"},
        "team": {
            "id": "19:general@thread.tacv2",
            "name": "Acme",
            "aadGroupId": "ac3e0000-0000-4000-8000-0000000000ff",
            "channels": [{"id": CHANNEL, "name": "eng"}],
        },
    }


def _person(number: int, name: str) -> Wire:
    return {
        "id": f"29:{name}",
        "name": name.title(),
        "givenName": name.title(),
        "surname": "Acme",
        "email": f"{name}@acme.test",
        "userPrincipleName": f"{name}@acme.test",
        "aadObjectId": f"ac3e0000-0000-4000-8000-0000000001{number:02}",
    }
