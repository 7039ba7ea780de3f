"""A running GitHub stand-in for all tests of a module: everybody who may ask, plain HTTP, and real git."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import jwt

from playground.github import GitHubPlayground
from playground.github_git import ALONE
from playground.github_state import Pull, Repository
from playground.shop import make_repository
from tests.github.contract import check_response

PEOPLE = {
    "ann": "write",
    "bob": "write",
    "eve": "write",
    "tim": "triage",
    "guest": "read",
    "root": "admin",
    "stranger": "none",
}
DESCRIBED = {200, 201, 202, 204, 401, 403, 404}
"""What GitHub's description has for most calls; other refusals are looked at by their words."""
UNDESCRIBED = "/events"
"""Our client has no call that ends so."""


@dataclass(slots=True)
class Town:
    """`home` is the repository of one test; `use` makes the next one."""

    there: GitHubPlayground
    http: httpx.AsyncClient
    folder: Path
    source: Path
    home: Repository = field(init=False)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _headers: dict[str, dict[str, str]] = field(default_factory=dict)

    async def use(self, **rules: Any) -> Repository:
        """A repository of its own for one test, with these rules; what was before is forgotten."""
        self.home = await self.there.repository(f"acme/shop{next(self._numbers)}", self.source, **rules)
        for login, may in PEOPLE.items():
            self.home.may[self.there.world.account(login).id] = may
        self.there.forgive()
        self.there.calls.clear()
        self.there.courier.deliveries.clear()
        return self.home

    @property
    def events(self) -> list[str]:
        """What the app was told: "pull_request.opened"."""
        return [f"{one.event}.{one.action}" for one in self.there.courier.deliveries]

    def token(self, who: str) -> str:
        """Of "installation", or of somebody with a kind of credential: "user:eve", "personal:eve"."""
        kind, _, login = who.partition(":")
        if kind == "installation":
            return self.there.tokens.install(None, self.there.app.rights)
        account = self.there.world.account(login)
        if kind == "personal":
            return self.there.personal_token(login, f"ghp_{login:0<36}")
        return str(self.there.tokens.pair(account)["access_token"])

    def header(self, who: str) -> dict[str, str]:
        if who == "app":
            app, now = self.there.app, int(self.there.tokens.now())
            claims = {"iat": now - 10, "exp": now + 300, "iss": str(app.id)}
            return {"Authorization": f"Bearer {jwt.encode(claims, app.private_key, algorithm='RS256')}"}
        if who not in self._headers:
            self._headers[who] = {"Authorization": f"Bearer {self.token(who)}"}
        return self._headers[who]

    def forget(self, who: str) -> None:
        """Their token ended; the next call takes another."""
        del self._headers[who]

    async def call(
        self, who: str, method: str, place: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One call of REST, below the repository unless `place` begins with a slash."""
        path = place if place.startswith("/") else f"/repos/{self.home.full_name}/{place}".rstrip("/")
        answer = await self.http.request(
            method, f"{self.there.url}{path}", json=body, headers=self.header(who) if who else {}
        )
        if answer.status_code in DESCRIBED and not path.endswith(UNDESCRIBED):
            told = answer.json() if answer.content else None
            check_response(method, path.partition("?")[0], answer.status_code, told)
        return answer

    async def told(self, who: str, place: str) -> Any:
        """What a read answers."""
        answer = await self.call(who, "GET", place)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def graphql(self, who: str, document: str, **variables: Any) -> Any:
        sent = {"query": document, "variables": variables}
        answer = await self.http.post(f"{self.there.url}/graphql", json=sent, headers=self.header(who))
        return answer.json()

    async def open(self, branch: str = "work", *, author: str = "installation", base: str = "main") -> Pull:
        """A pull request that adds a file."""
        await self.there.push(self.home, branch, "ann", {f"{branch}.py": "x = 1\n"})
        sent = {"head": branch, "base": base, "title": "ENG-1: Search", "body": "Fixes ENG-1"}
        answer = await self.call(author, "POST", "pulls", sent)
        assert answer.status_code == 201, answer.text
        return self.home.pulls[answer.json()["number"]]

    async def review(self, who: str, one: Pull, event: str = "APPROVE", **more: Any) -> httpx.Response:
        sent = {"event": event, "body": "because", **more}
        return await self.call(who, "POST", f"pulls/{one.number}/reviews", sent)

    async def merge(self, who: str, one: Pull, **more: Any) -> httpx.Response:
        return await self.call(who, "PUT", f"pulls/{one.number}/merge", more)

    def address(self, who: str, full_name: str | None = None) -> str:
        """Where git finds the repository, with the token of somebody."""
        url = self.there.url.replace("://", f"://x-access-token:{self.token(who)}@")
        return f"{url}/{full_name or self.home.full_name}.git"

    async def tree(self, files: Mapping[str, str]) -> Path:
        """A clone of the repository, with one more commit of these files, if there are any."""
        tree = self.folder / f"tree{next(self._numbers)}"
        await git(self.folder, "clone", "--quiet", str(self.home.folder), str(tree))
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        if files:
            await git(tree, "add", "--all")
            await git(tree, "commit", "--quiet", "--message=x")
        return tree


async def git(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of a git that people run, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        "git",
        "-c",
        "user.name=Ann",
        "-c",
        "user.email=ann@acme.test",
        *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **ALONE},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    source = folder / "shop.git"
    await asyncio.to_thread(make_repository, source)
    async with GitHubPlayground(folder) as there, httpx.AsyncClient() as http:
        for login in PEOPLE:
            there.person(login, emails=[f"{login}@acme.test"])
        yield Town(there, http, folder, source)
