"""A second judge of our client and of the stand-in: Prism between them, with GitHub's own description.

What `tests.github.contract` checks by our own code, Prism checks by its own, on the wire; GraphQL is none of
its business. The scenes are those of the stand-in's own tests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from github.acts import GitHubActs
from github.app import GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.merging import GitHubMerging
from github.pace import Pace
from github.sansio import Call
from github.wire import Wire
from playground.github import GitHubPlayground
from playground.shop import make_repository
from playground.stage import free_port
from tests.github import contract
from tests.npm import installed
from tests.playground.slack_peer import served
from tests.playground.test_github import (
    SHOP,
    House,
    test_a_draft_a_moved_head_and_missing_rules_are_not_merged,
    test_a_pull_request_is_opened_looked_at_reviewed_and_merged_in_real_git,
    test_conflicts_and_a_base_that_moved_show,
    test_our_check_is_the_apps_alone,
    test_required_checks_auto_merge_and_the_queue,
    test_the_author_cannot_approve_and_a_push_dismisses_approvals,
)

__all__ = [
    "test_a_draft_a_moved_head_and_missing_rules_are_not_merged",
    "test_a_pull_request_is_opened_looked_at_reviewed_and_merged_in_real_git",
    "test_conflicts_and_a_base_that_moved_show",
    "test_our_check_is_the_apps_alone",
    "test_required_checks_auto_merge_and_the_queue",
    "test_the_author_cannot_approve_and_a_push_dismisses_approvals",
]

PACKAGE = Path(__file__).parent / "prism"
DESCRIPTION = Path(contract.__file__).with_name("openapi.json")
READY_WITHIN_S = 60
HOP_BY_HOP = frozenset({"host", "content-length", "transfer-encoding", "content-encoding", "connection"})

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


class Upstream:
    """Where Prism sends what it has judged: to the stand-in of the test that runs now."""

    def __init__(self) -> None:
        self.there = ""
        self.seen = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.seen += 1
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{self.there}{request.raw_path}",
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer,
        ):
            told = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, headers=told, body=await answer.read())


class Through(httpx.AsyncBaseTransport):
    """Sends everything but GraphQL through Prism, and hands on no answer that Prism finds wrong."""

    def __init__(self, prism: str, under: httpx.AsyncBaseTransport) -> None:
        self._prism = httpx.URL(prism)
        self._under = under

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/graphql":
            return await self._under.handle_async_request(request)
        request.url = request.url.copy_with(host=self._prism.host, port=self._prism.port)
        answer = await self._under.handle_async_request(request)
        await answer.aread()
        wrong = answer.headers.get("sl-violations") or ""
        if "problem+json" in answer.headers.get("content-type", ""):
            wrong += answer.text
        assert not wrong, f"{request.method} {request.url.path}: {wrong}"
        return answer

    async def aclose(self) -> None:
        await self._under.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prism() -> AsyncIterator[tuple[str, Upstream]]:
    folder, upstream = await asyncio.to_thread(installed, PACKAGE), Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", upstream.handle)
    async with served(app) as url, judging(folder, url) as address:
        yield address, upstream


@asynccontextmanager
async def judging(folder: Path, upstream: str) -> AsyncIterator[str]:
    """Prism as a proxy in front of `upstream`; its address."""
    port = free_port()
    command = ["node_modules/.bin/prism", "proxy", str(DESCRIPTION), upstream, "--port", str(port)]
    command += ["--host", "127.0.0.1", "--errors"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            while b"Prism is listening" not in (line := await process.stdout.readline()):
                assert line, "prism ended"
        draining = asyncio.create_task(process.stdout.read())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()
        await draining


@pytest_asyncio.fixture(loop_scope="module")
async def house(tmp_path: Path, prism: tuple[str, Upstream]) -> AsyncIterator[House]:
    make_repository(tmp_path / "shop.git")
    address, upstream = prism

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    transport = Through(address, httpx.AsyncHTTPTransport())
    async with GitHubPlayground(tmp_path) as there, httpx.AsyncClient(transport=transport) as http:
        upstream.there, before = there.url, upstream.seen
        home = await there.repository(SHOP, tmp_path / "shop.git")
        for login, may in (("ann", "write"), ("eve", "write"), ("root", "admin"), ("guest", "read")):
            there.person(login, emails=[f"{login}@acme.test"], may=may)
        wire = Wire(http, there.url, pace=Pace(sleep=at_once))
        client = GitHubClient(wire)
        acts = GitHubActs(wire, client)
        app = GitHubApp(wire, app_id=str(there.app.id), private_key=there.app.private_key)
        merging = GitHubMerging(wire, client, acts)
        yield House(there, home, app, client, acts, merging, GitHubChecks(wire), wire)
        assert upstream.seen > before


async def test_what_github_does_not_describe_is_refused_by_prism(house: House) -> None:
    pull = await house.open()
    strange = Call("PATCH", f"/repos/{SHOP}/pulls/{pull.number}", body={"state": "ajar"})
    with pytest.raises(AssertionError, match="state"):
        await house.wire.send(await house.token(), strange)
