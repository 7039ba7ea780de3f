"""A stand-in for GitHub on loopback: REST, GraphQL, git over HTTP, sign-in, webhooks, and its rules.

It refuses what GitHub refuses: approvals by the author, merges of drafts and of another head, what the
rules of the branch do not let through (but for administrators, whom GitHub lets pass), and what a token has
no right to.
"""

import asyncio
import base64
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlencode

import httpx
from aiohttp import web

from playground import github_git as git
from playground.github_graphql import Endpoint
from playground.github_hooks import Courier
from playground.github_rest import Answer, Asked, Rest, kind_of
from playground.github_state import Account, Pull, Repository, Rules, World
from playground.github_tokens import AppIdentity, Credential, Tokens
from playground.github_world import Forge, Refused

HOST = "127.0.0.1"
SHUTDOWN_LIMIT_S = 0.1
PERSONAL_TOKEN = "ghp_playground0000000000000000000000000000"
OTHER_APP = 15_368
"""The app of GitHub Actions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next calls of a kind suffer.

    `drop` closes the connection `before` or `after` the deed; `status` answers that instead of the truth,
    after the deed if `executes`; `text` is its body, if it is not JSON.
    """

    status: int = 0
    message: str = "fault"
    drop: Literal["", "before", "after"] = ""
    executes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its kind, who made it, and what was answered; `status` 0 for nothing."""

    kind: str
    who: str
    status: int
    body: Any = None
    answer: Any = None
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


class GitHubPlayground:
    """One GitHub with one app, installed everywhere; `async with` starts and stops it.

    `world` and `forge` are the state, `tokens.ahead_s` moves time on, `courier` has the webhooks, `calls`
    what was asked of it. Whatever people do at github.com is a method here.
    """

    def __init__(self, folder: Path, *, webhook_url: str = "") -> None:
        self.folder = folder
        self.app = AppIdentity()
        self.world = World()
        self.bot = self.world.add_account(f"{self.app.slug}[bot]", is_bot=True)
        self.courier = Courier(webhook_url, self.app.webhook_secret, self.app.installation)
        self.tokens = Tokens(self.world, self.app, self.bot)
        self.calls: list[Call] = []
        self.url = ""
        self._faults: dict[str, list[Fault]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_get("/login/oauth/authorize", self._authorize_page)
        application.router.add_post("/login/oauth/authorize", self._authorize)
        application.router.add_post("/login/oauth/access_token", self._access_token)
        application.router.add_post("/graphql", self._graphql)
        application.router.add_route("*", "/{path:.*}", self._anything)
        self._runner = web.AppRunner(application, shutdown_timeout=SHUTDOWN_LIMIT_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{HOST}:{port}"
        self.forge = Forge(self.world, self.courier, self.app, self.url)
        self.rest = Rest(self.forge, self.tokens)
        self._endpoint = Endpoint(self.forge)
        await self.courier.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.courier.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    # What people do.

    def person(
        self, login: str, *, emails: Iterable[str] = (), may: str = "write", unverified: Iterable[str] = ()
    ) -> Account:
        """Somebody with that permission in every repository there is."""
        listed = [(one, True) for one in emails] + [(one, False) for one in unverified]
        made = self.world.add_account(login, emails=listed, name=login.title())
        for home in self.world.repositories:
            home.may[made.id] = may
        return made

    def personal_token(self, login: str, token: str = PERSONAL_TOKEN) -> str:
        return self.tokens.personal(self.world.account(login), token)

    async def repository(self, full_name: str, source: Path, **rules: Any) -> Repository:
        """A repository with the branches of the bare one at `source`."""
        bare = self.folder / "repositories" / f"{full_name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            "git", "clone", "--quiet", "--bare", str(source), str(bare)
        )
        if await process.wait() != 0:
            raise git.GitFailed(f"cannot clone {source}", 1)
        await git.run(bare, "config", "http.receivepack", "true")
        await git.run(bare, "config", "receive.advertisePushOptions", "false")
        home = self.forge.add_repository(full_name, bare)
        home.rules = Rules(**rules)
        return home

    async def push(self, home: Repository, branch: str, login: str, files: Mapping[str, str]) -> str:
        """Somebody commits these files to a branch and pushes; the new head."""
        new = await git.commit(home.folder, branch, files, f"{login} was here")
        await self.forge.pushed(home, branch, new, self.world.account(login))
        return new

    async def review(self, home: Repository, one: Pull, login: str, event: str, body: str = "") -> None:
        """Somebody reviews at github.com."""
        by = self.world.account(login)
        await self.forge.review(home, one, by, event=event, body=body, sha=None)

    async def check(
        self, home: Repository, sha: str, name: str, conclusion: str | None, summary: str = ""
    ) -> None:
        """A check of another app ran (or runs: None) on a commit."""
        await self.forge.check(
            home, name=name, sha=sha, conclusion=conclusion, app_id=OTHER_APP, summary=summary
        )

    def fail(self, kind: str, fault: Fault, times: int = 1) -> None:
        """Spoil the next calls of a kind: as `Call.kind` has it, "push", "fetch", "graphql" or "token"."""
        self._faults.setdefault(kind, []).extend([fault] * times)

    def forgive(self) -> None:
        """Take back every fault that was ordered."""
        self._faults.clear()

    def acts(self) -> list[str]:
        """Who reviewed, merged and the like, in order: "user:eve POST /repos/.../reviews"."""
        privileged = ("/reviews", "/merge", "/merge-async", "/update-branch", "/dismissals")
        return [
            f"{one.who} {one.kind}"
            for one in self.calls
            if one.kind.endswith(privileged) and not one.kind.startswith("GET ")
        ]

    # HTTP.

    async def _anything(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if ".git/" in path:
            return await self._git(request, path)
        path = path.removeprefix("/api/v3")
        found = kind_of(request.method, path)
        if found is None:
            return _json(404, {"message": "Not Found", "documentation_url": "", "status": "404"})
        kind, handler, parts = found
        body = await request.read()
        sent = json.loads(body) if body else {}
        who = self._who(request, kind)
        asked = Asked(who, parts, dict(request.query), sent) if who else None

        async def answer() -> Answer:
            if asked is None:
                raise Refused(401, "Bad credentials")
            return await handler(self.rest, asked)

        return await self._answered(kind, who, sent or None, answer, path, dict(request.query))

    def _who(self, request: web.Request, kind: str) -> Credential | None:
        header = request.headers.get("Authorization", "")
        if "/applications/" in kind:
            wanted = f"{self.app.client_id}:{self.app.client_secret}"
            given = base64.b64decode(header.partition(" ")[2] or "").decode()
            return Credential("app", self.bot) if given == wanted else None
        return self.tokens.whose(header)

    async def _answered(
        self,
        kind: str,
        who: Credential | None,
        sent: Any,
        answer: Any,
        path: str,
        query: Mapping[str, str],
    ) -> web.StreamResponse:
        name = who.name if who else "nobody"
        fault = self._take(kind)
        if fault is not None and not (fault.executes or fault.drop == "after"):
            self.calls.append(Call(kind, name, fault.status, sent, None, path, query))
            return self._spoiled(fault)
        try:
            done: Answer = await answer()
        except Refused as refused:
            told = {
                "message": str(refused),
                "documentation_url": "https://docs.github.test",
                "status": str(refused.status),
                **refused.more,
            }
            place = {"Location": refused.more["url"]} if refused.status == 301 else {}
            done = Answer(refused.status, told, headers=place)
        self.calls.append(Call(kind, name, done.status, sent, done.json, path, query))
        if fault is not None:
            return self._spoiled(fault)
        if done.text is not None:
            return web.Response(status=done.status, text=done.text)
        return _json(done.status, done.json, done.headers)

    def _take(self, kind: str) -> Fault | None:
        waiting = self._faults.get(kind)
        return waiting.pop(0) if waiting else None

    def _spoiled(self, fault: Fault) -> web.StreamResponse:
        if fault.drop:
            return _Dropped()
        if fault.text is not None:
            return web.Response(status=fault.status, text=fault.text, headers=fault.headers)
        told = {"message": fault.message, "documentation_url": "", "status": str(fault.status)}
        return _json(fault.status, told, fault.headers)

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        who = self.tokens.whose(request.headers.get("Authorization", ""))

        async def answer() -> Answer:
            if who is None:
                raise Refused(401, "Bad credentials")
            return Answer(200, await self._endpoint.answer(sent["query"], sent.get("variables") or {}, who))

        return await self._answered("graphql", who, sent, answer, "/graphql", {})

    async def _git(self, request: web.Request, path: str) -> web.StreamResponse:
        """The names of repositories lead to their folders; who pushes needs the right to."""
        full_name = path.partition(".git/")[0].strip("/")
        home = self.world.repository(full_name) or self.world.moved(full_name)
        who = self.tokens.whose(request.headers.get("Authorization", ""))
        is_push = "git-receive-pack" in request.raw_path
        if home is None or (who is None and (is_push or home.is_private)):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        if who is not None and not self.rest.sees(who, home):
            return web.Response(status=404, text="Repository not found.")
        body = await request.read()
        kind = "push" if path.endswith("/git-receive-pack") else "fetch"
        fault = self._take(kind)
        if fault is not None and not (fault.executes or fault.drop == "after"):
            return self._spoiled(fault)
        if is_push and who is not None and (why := self._refuses_push(who, home)):
            return web.Response(status=403, text=why)
        root = home.folder.parent
        place = f"/{home.folder.name}/{path.partition('.git/')[2]}"
        if kind == "push" and who is not None:
            return await self._pushed(request, home, who, root, place, body, fault)
        return await git.serve(request, root, place, body)

    def _refuses_push(self, who: Credential, home: Repository) -> str | None:
        if who.kind == "installation" and (who.rights or {}).get("contents") != "write":
            return "Permission to the repository denied to the app."
        if who.kind in ("user", "personal") and not home.writes(who.account):
            return f"Permission to {home.full_name}.git denied to {who.account.login}."
        return None

    async def _pushed(
        self,
        request: web.Request,
        home: Repository,
        who: Credential,
        root: Path,
        place: str,
        body: bytes,
        fault: Fault | None,
    ) -> web.StreamResponse:
        updates = git.pushed(body)
        refused = [ref for _, _, ref in updates if ref == f"refs/heads/{home.base}"]
        if refused:
            words = f"error: GH006: Protected branch update failed for {refused[0]}."
            return _refusal(updates, words)
        refs = [ref for _, _, ref in updates]
        before = {ref: await git.head_of(home.folder, ref.removeprefix("refs/heads/")) for ref in refs}
        answer = await git.serve(request, root, place, body)
        for _, _, ref in updates:
            branch = ref.removeprefix("refs/heads/")
            now = await git.head_of(home.folder, branch)
            if now == before[ref]:
                continue
            if now and await self._touches_workflows(home, before[ref], now) and not self._may_change(who):
                if before[ref]:
                    await git.run(home.folder, "update-ref", ref, before[ref] or "")
                else:
                    await git.run(home.folder, "update-ref", "-d", ref)
                return _refusal(
                    updates,
                    "refusing to allow a GitHub App to create or update workflow "
                    "`.github/workflows` without `workflows` permission",
                )
            await self.forge.pushed(home, branch, now, who.account)
        self.calls.append(Call("push", who.name, answer.status, [ref for _, _, ref in updates]))
        return self._spoiled(fault) if fault is not None else answer

    async def _touches_workflows(self, home: Repository, old: str | None, new: str) -> bool:
        change = await git.change_of(home.folder, old or home.base, new)
        return any(path.startswith(".github/workflows/") for path, _, _ in change.files)

    def _may_change(self, who: Credential) -> bool:
        return who.kind == "personal" or "workflows" in (who.rights or self.app.rights)

    # Signing in.

    async def _authorize_page(self, request: web.Request) -> web.Response:
        """Who may be anybody here picks who they are."""
        query = request.query
        if query.get("client_id") != self.app.client_id or query.get("code_challenge_method") != "S256":
            return web.Response(status=404, text="Not Found")
        people = [one for one in self.world.accounts.values() if one.type == "User"]
        names = [html.escape(one.login) for one in people]
        buttons = "".join(f"<button name=login value='{one}'>Authorize as {one}</button>" for one in names)
        text = f"<title>Authorize Threadline</title><form method=post>{buttons}</form>"
        return web.Response(text=text, content_type="text/html")

    async def _authorize(self, request: web.Request) -> web.Response:
        form, query = await request.post(), request.query
        account = self.world.account(str(form["login"]))
        code = self.tokens.agree(
            account, challenge=query["code_challenge"], redirect_uri=query["redirect_uri"]
        )
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return web.Response(status=302, headers={"Location": back})

    async def _access_token(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        if request.content_type == "application/json":
            sent = json.loads(body)

        async def answer() -> Answer:
            given = sent.get("client_id"), sent.get("client_secret")
            if given != (self.app.client_id, self.app.client_secret):
                return Answer(200, _flaw("incorrect_client_credentials"))
            if sent.get("grant_type") == "refresh_token":
                pair = self.tokens.refresh(sent.get("refresh_token", ""))
                return Answer(200, pair or _flaw("bad_refresh_token"))
            pair = self.tokens.exchange(
                sent.get("code", ""), sent.get("code_verifier", ""), sent.get("redirect_uri", "")
            )
            return Answer(200, pair or _flaw("bad_verification_code"))

        return await self._answered("token", None, None, answer, "/login/oauth/access_token", {})

    async def signs_in(self, authorize_url: str, login: str) -> str:
        """What a browser does on the authorize page: the address that it is sent to."""
        async with httpx.AsyncClient() as http:
            page = await http.get(authorize_url)
            page.raise_for_status()
            answer = await http.post(authorize_url, data={"login": login})
        return answer.headers["Location"]

    def revoke(self, login: str) -> None:
        """Somebody takes back what they allowed the app, at github.com."""
        account = self.world.account(login)
        self.tokens.revoke(account)
        self.forge.revoked(account)


class _Dropped(web.StreamResponse):
    """Hangs up instead of answering."""

    async def prepare(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.abort()


def _json(status: int, told: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    if status == 204 or told is None:
        return web.Response(status=status, headers=headers)
    return web.json_response(told, status=status, headers=headers)


def _flaw(error: str) -> dict[str, object]:
    return {
        "error": error,
        "error_description": error.replace("_", " "),
        "error_uri": "https://docs.github.test",
    }


def _refusal(updates: list[tuple[str, str, str]], words: str) -> web.Response:
    kind = "application/x-git-receive-pack-result"
    return web.Response(body=git.refuse_push(updates, words), content_type=kind)
