"""One request to Microsoft: no POST is repeated, no redirect followed, no answer read without end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

ANSWER_BYTES: Final = 1024 * 1024

HTTP_ERRORS: Final = (aiohttp.ClientError, OSError)
"""All that `ask` raises; a timeout is an `OSError`."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the JSON, None if there is none or it cannot be read."""

    status: int
    headers: Mapping[str, str]
    body: Any


def open_session() -> aiohttp.ClientSession:
    """The connections that all calls share; open it inside the running loop, and close it last."""
    return aiohttp.ClientSession(
        timeout=_TIMEOUT,
        connector=aiohttp.TCPConnector(limit=100),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def ask(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request, with JSON, a form or nothing in it.

    Args:
        url: Sent as it is: ids in it must be percent-encoded already.
    """
    address = URL(url, encoded=True)
    # A redirect would take our token along, to a host that nobody vouches for.
    async with http.request(
        method, address, json=body, data=form, headers=headers, allow_redirects=False
    ) as response:
        return Answer(response.status, response.headers, _parsed(await _read(response)))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body; nothing of one that is too large."""
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > ANSWER_BYTES:
            response.close()
            return b""
    return bytes(read)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
