"""Files that people put into issues and comments in Linear, read with our token and within limits."""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from core.events import File
from core.files import Unreadable, grown, read_each
from linear.client import TokenSource
from linear.errors import LinearError
from linear.sansio import authorization_header

log = logging.getLogger(__name__)

UPLOADS_ORIGIN = "https://uploads.linear.app"
REDIRECTS_AT_MOST = 3
STEP_TIMEOUT_S = 5.0
READ_WITHIN_S = 15.0

_LINK = re.compile(r"\[([^\[\]]*)\]\((https?://[^\s()<>]+)[^()]*\)|(https?://[^\s()<>\[\]\"']+)")


@dataclass(frozen=True, slots=True)
class Link:
    """An uploaded file as a text names it."""

    name: str
    url: str


def uploads_origin(api_url: str) -> str:
    """Where the Linear behind `api_url` keeps its files: a host of its own, or beside a stand-in's API."""
    parts = urlsplit(api_url)
    return UPLOADS_ORIGIN if parts.hostname == "api.linear.app" else f"{parts.scheme}://{parts.netloc}"


def links_in(texts: Iterable[str], origin: str) -> tuple[Link, ...]:
    """The files of `origin` that Markdown texts link, show or just name, each once, in order."""
    found: dict[str, Link] = {}
    for text in texts:
        for label, labelled, bare in _LINK.findall(text):
            url = labelled or bare.rstrip(".,;:!?")
            parts = urlsplit(url)
            if f"{parts.scheme}://{parts.netloc}" == origin and parts.path.strip("/"):
                last = unquote(parts.path.rstrip("/").rpartition("/")[2])
                found.setdefault(url, Link(" ".join(label.split()) or last, url))
    return tuple(found.values())


class LinearFiles:
    """Implements `core.ports.FileReader`.

    The token goes to the host that keeps the files and nowhere else: a redirect is followed without it.

    Args:
        api_url: Address of the GraphQL endpoint, which tells where files are kept.
        within_s: How long all files of one reading may take.
    """

    def __init__(
        self, http: httpx.AsyncClient, token: TokenSource, api_url: str, *, within_s: float = READ_WITHIN_S
    ) -> None:
        self._http = http
        self._token = token
        self._origin = uploads_origin(api_url)
        self._within_s = within_s

    async def read(self, texts: Sequence[str]) -> Sequence[File]:
        until = asyncio.get_running_loop().time() + self._within_s
        links = [(link.name, link.url) for link in links_in(texts, self._origin)]
        return await read_each(links, lambda url, limit: self._download(url, limit, until))

    async def _download(self, url: str, limit: int, until: float) -> bytes:
        try:
            async with asyncio.timeout_at(until):
                return await self._authorized(url, limit)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            # Only its kind: the request that hangs on the error holds the token.
            log.warning("linear file unread", extra={"error": type(error).__name__})
        except LinearError as error:
            log.warning("linear file unread", extra={"error": str(error)})
        raise Unreadable("Linear did not send it")

    async def _authorized(self, url: str, limit: int) -> bytes:
        token = await self._token.current()
        answer = await self._follow(url, token, limit)
        if answer is None:
            answer = await self._follow(url, await self._token.renew(token), limit)
        if answer is None:
            raise Unreadable("Linear does not let the app read it")
        return answer

    async def _follow(self, url: str, token: str, limit: int) -> bytes | None:
        """The file, after redirects; None if the token was refused."""
        headers: Mapping[str, str] = {"Authorization": authorization_header(token)}
        for _ in range(REDIRECTS_AT_MOST + 1):
            async with self._http.stream("GET", url, headers=headers, timeout=STEP_TIMEOUT_S) as answer:
                if not answer.has_redirect_location:
                    return await _body(answer, limit)
                target, headers = urljoin(url, answer.headers["Location"]), {}
            if urlsplit(target).scheme != urlsplit(self._origin).scheme:
                raise Unreadable("it lies at an address that is not safe")
            url = target
        raise Unreadable("it is nowhere to be found")


async def _body(answer: httpx.Response, limit: int) -> bytes | None:
    if answer.status_code == 401:
        return None
    if answer.status_code != 200:
        raise Unreadable(f"Linear answered {answer.status_code}")
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html":
        raise Unreadable("Linear shows a page in its place")  # The one for signing in, most likely.
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        grown(body, chunk, limit)
    return bytes(body)
