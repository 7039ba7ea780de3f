"""Files and pictures that people send us in Teams, fetched from Microsoft's hosts only, and within limits."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from bots.teams.hosts import is_trusted
from bots.teams.http import HTTP_ERRORS
from bots.teams.tokens import BotToken
from core.errors import DeliveryError
from core.events import Attachment, File
from core.files import Unreadable, grown, read_each

log = logging.getLogger(__name__)

STORES: Final = ("*.sharepoint.com",)
"""Where Teams keeps what people send; its links are signed, and our token must not go there."""

REDIRECTS_AT_MOST: Final = 3
READ_WITHIN_S: Final = 15.0

_PICTURES: Final = "/v3/attachments/"


class TeamsFiles:
    """Implements `core.ports.AttachmentReader`.

    Args:
        service_hosts: Where our token may go; see `is_trusted`.
        within_s: How long all files of one message may take.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        token: BotToken,
        *,
        service_hosts: Collection[str],
        within_s: float = READ_WITHIN_S,
    ) -> None:
        self._http = http
        self._token = token
        self._service_hosts = service_hosts
        self._within_s = within_s

    async def read(self, files: Sequence[Attachment]) -> Sequence[File]:
        until = asyncio.get_running_loop().time() + self._within_s
        named = [(each.name, each.url) for each in files]
        return await read_each(named, lambda url, limit: self._download(url, limit, until))

    async def _download(self, url: str, limit: int, until: float) -> bytes:
        try:
            async with asyncio.timeout_at(until):
                if is_trusted(url, self._service_hosts) and _PICTURES in url:
                    return await self._picture(url, limit)
                return await self._signed(url, limit)
        except (*HTTP_ERRORS, ValueError) as error:
            # Only its kind: the address that hangs on the error is signed.
            log.warning("teams file unread", extra={"error": type(error).__name__})
        except DeliveryError as error:
            log.warning("teams file unread", extra={"error": str(error)})
        raise Unreadable("Teams did not send it")

    async def _picture(self, url: str, limit: int) -> bytes:
        token = await self._token.current()
        for each in (token, None):
            bearer = each or await self._token.renew(token)
            found = await self._get(url, limit, {"Authorization": f"Bearer {bearer}"})
            if isinstance(found, bytes):
                return found
        raise Unreadable("Teams does not let me read it")

    async def _signed(self, url: str, limit: int) -> bytes:
        for _ in range(REDIRECTS_AT_MOST + 1):
            parts = urlsplit(url)
            if not is_trusted(f"{parts.scheme}://{parts.netloc}", [*STORES, *self._service_hosts]):
                raise Unreadable("it lies at an address that I do not trust")
            found = await self._get(url, limit, {})
            if isinstance(found, bytes):
                return found
            if not found:
                raise Unreadable("its link has run out")
            url = urljoin(url, found)
        raise Unreadable("it is nowhere to be found")

    async def _get(self, url: str, limit: int, headers: dict[str, str]) -> bytes | str:
        """The file, or where it is instead; "" if we may not have it."""
        address = URL(url, encoded=True)
        async with self._http.get(address, headers=headers, allow_redirects=False) as answer:
            if answer.status in (401, 403):
                return ""
            if 300 <= answer.status < 400 and "Location" in answer.headers:
                return answer.headers["Location"]
            if answer.status != 200:
                raise Unreadable(f"Teams answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                grown(body, chunk, limit)
            return bytes(body)
