"""Requests to GitHub and their answers: time limits, redirects, retries, pace."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from github.answers import graphql_data, read_json, refusal_of
from github.credentials import Credential
from github.errors import Invalid, NotFound, RateLimited, Transient
from github.pace import ANY, Pace
from github.queries import DOCUMENTS
from github.sansio import (
    Call,
    elsewhere,
    graphql_url,
    headers_of,
    next_cursor,
    next_hop,
    parse_quota,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 20.0
TOTAL_TIMEOUT_S: Final = 40.0
ANSWER_BYTES: Final = 16 << 20
REDIRECTS: Final = 3
PAGE: Final = 100
READ_PAUSES_S: Final = (1.0, 3.0)
"""Between the attempts of a read; a write is never repeated here."""

_CORE: Final = "core"
_GRAPHQL: Final = "graphql"
_AGENT: Final = {"User-Agent": "threadline"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and parsed JSON of an answer, None for an empty body; `cursor` of the rest of a list."""

    status: int
    json: Any
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class _Raw:
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Sends calls with a credential, and tells failures apart as `github.errors` does.

    Reads are tried three times; a write is sent once, because only its caller knows how to look whether it
    was done. Redirects are followed on the same host, for reads alone. Every method raises `GitHubError`.

    Args:
        http: Shared with others; its own rules about redirects count for nothing here.
        api_url: "https://api.github.com", "https://ghe.acme.test/api/v3", or that of a stand-in.
        pace: One for all wires of a process.
    """

    def __init__(self, http: httpx.AsyncClient, api_url: str, *, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self._http = http
        self._base = api_url.rstrip("/")
        self._graphql_url = graphql_url(api_url)

    async def send(self, as_: Credential, call: Call) -> Answer:
        """The answer to one REST call: a success, or one of the statuses that `call.also` names."""
        if call.is_read:
            return await self._patiently(lambda: self._rest(as_, call))
        async with self.pace.writing(as_.key):
            return await self._rest(as_, call)

    async def pages(self, as_: Credential, call: Call, *, within: str = "", most: int = 10) -> list[Any]:
        """All items of a list, 100 a page and at most `most` pages; `within` names the list in an object."""
        return [item async for item in self._items(as_, call, within, most)]

    async def ask(
        self, as_: Credential, operation: str, variables: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The data of a GraphQL operation by the name of its document, and the places hidden from `as_`."""
        body = {"query": DOCUMENTS[operation], "operationName": operation, "variables": dict(variables)}
        if DOCUMENTS[operation].startswith("query"):
            return await self._patiently(lambda: self._graphql(as_, body, is_read=True))
        async with self.pace.writing(as_.key):
            return await self._graphql(as_, body, is_read=False)

    async def file_behind(self, as_: Credential, call: Call, *, last_bytes: int) -> bytes:
        """The end of a file that GitHub keeps elsewhere: asked for with the credential, read without."""
        return await self._patiently(lambda: self._file(as_, call, last_bytes))

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        for pause_s in READ_PAUSES_S:
            try:
                return await read()
            except Transient as trouble:
                log.info("github asked again", extra={"reason": str(trouble)})
            await self.pace.sleep(pause_s)
        return await read()

    async def _items(self, as_: Credential, call: Call, within: str, most: int) -> AsyncIterator[Any]:
        for number in range(1, most + 1):
            query = {**call.query, "per_page": PAGE, "page": number}
            told = (await self.send(as_, Call("GET", call.path, query))).json
            items = told.get(within) if within and isinstance(told, dict) else told
            if not isinstance(items, list):
                raise Transient("unreadable answer: no list", maybe_done=False)
            for item in items:
                yield item
            if len(items) < PAGE:
                return

    async def _rest(self, as_: Credential, call: Call) -> Answer:
        self.pace.check(as_.key, _CORE)
        headers = headers_of(as_.authorization)
        url = self._base + call.path
        answer = await self._exchange(call.method, url, headers, query=call.query, body=call.body)
        for _ in range(REDIRECTS if call.is_read else 0):
            target = next_hop(answer.url, answer.status, answer.headers)
            if target is None:
                break
            answer = await self._exchange("GET", target, headers)
        self._judge(as_, answer, also=call.also)
        told = read_json(answer.status, answer.body)
        return Answer(answer.status, told, next_cursor(answer.headers))

    async def _graphql(
        self, as_: Credential, body: Mapping[str, Any], *, is_read: bool
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        self.pace.check(as_.key, _GRAPHQL)
        answer = await self._exchange("POST", self._graphql_url, headers_of(as_.authorization), body=body)
        self._judge(as_, answer)
        told = read_json(answer.status, answer.body)
        try:
            return graphql_data(answer.headers, told, now=self.pace.now(), is_read=is_read)
        except RateLimited as limited:
            self.pace.close(as_.key, limited.retry_after_s or 0.0, _GRAPHQL)
            raise

    async def _file(self, as_: Credential, call: Call, last_bytes: int) -> bytes:
        self.pace.check(as_.key, _CORE)
        answer = await self._exchange("GET", self._base + call.path, headers_of(as_.authorization))
        target = elsewhere(answer.url, answer.status, answer.headers)
        if target is None:
            self._judge(as_, answer)
            raise NotFound("there is no such file")
        file = await self._exchange("GET", target, _AGENT, last_bytes=last_bytes)
        if file.status >= 500:
            raise Transient(f"file not read: HTTP {file.status}", maybe_done=False)
        if file.status != 200:
            raise NotFound("the file is not there any more")
        return file.body

    def _judge(self, as_: Credential, answer: _Raw, *, also: frozenset[int] = frozenset()) -> None:
        """Learn about limits from an answer; raise what it means unless it is what was asked for."""
        self.pace.note(as_.key, parse_quota(answer.headers))
        if answer.status in also:
            return
        refusal = refusal_of(answer.status, answer.headers, answer.body, now=self.pace.now())
        if isinstance(refusal, RateLimited):
            self.pace.close(as_.key, refusal.retry_after_s or 0.0, ANY)
        if refusal is not None:
            raise refusal

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        last_bytes: int | None = None,
    ) -> _Raw:
        request = self._http.build_request(
            method, url, headers=dict(headers), params=query or None, json=body, timeout=_timeout()
        )
        # `from None` below: httpx and h11 may repeat a header in what they raise.
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):  # httpx only limits each step of a request.
                return await self._stream(request, last_bytes)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Transient(f"not connected: {type(error).__name__}", maybe_done=False) from None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            raise Invalid(f"cannot be sent: {type(error).__name__}") from None
        except (httpx.RequestError, TimeoutError) as error:
            raise Transient(f"no answer: {type(error).__name__}", maybe_done=True) from None

    async def _stream(self, request: httpx.Request, last_bytes: int | None) -> _Raw:
        answer = await self._http.send(request, stream=True, follow_redirects=False)
        body = bytearray()
        try:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if last_bytes is not None:
                    del body[:-last_bytes]
                elif len(body) > ANSWER_BYTES:
                    raise Transient("answer too large", maybe_done=True)
        finally:
            await answer.aclose()
        return _Raw(str(request.url), answer.status_code, answer.headers, bytes(body))


def _timeout() -> httpx.Timeout:
    return httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
