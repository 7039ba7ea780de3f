"""A stand-in for GitHub on loopback: REST, GraphQL, git over HTTP, sign-in, webhooks, and its rules.

It refuses what GitHub refuses: approvals by the author, merges of drafts and of another head, what the
rules of the branch do not let through (but for administrators, whom GitHub lets pass), and what a token has
no right to.

By hand: `python -m playground.github --port 4013 --webhook-url http://127.0.0.1:8080/api/webhooks/github`.
"""

import argparse
import asyncio
import signal
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from aiohttp import web

from playground import github_git as git
from playground.github_control import add_control_routes
from playground.github_faults import Call, Fault, Faults, primary_limit, secondary_limit, sso
from playground.github_front import Front
from playground.github_hooks import Courier
from playground.github_remote import prepare
from playground.github_state import Account, Pull, Repository, Rules, Switches, World
from playground.github_tokens import AppIdentity, Tokens
from playground.github_views import OTHER_APP
from playground.github_world import Forge
from playground.moments import Moments
from playground.shop import make_repository

__all__ = ["Call", "Fault", "GitHubPlayground", "primary_limit", "secondary_limit", "sso"]

HOST = "127.0.0.1"
SHUTDOWN_LIMIT_S = 0.1
PERSONAL_TOKEN = "ghp_playground0000000000000000000000000000"
ACTING = ("/reviews", "/events", "/dismissals", "/merge", "/merge-async", "/update-branch")
"""How calls end that only people may make."""
PEOPLE = {"ann": "write", "bob": "write", "eve": "write", "root": "admin", "guest": "read"}
"""Who is there when it is played by hand, and their permission."""


class GitHubPlayground:
    """One GitHub with one app, installed everywhere; `async with` starts and stops it.

    `world` and `forge` are the state, `switches` how it behaves, `tokens.ahead_s` moves time on, `courier`
    has the webhooks, `calls` what was asked of it; `moments` are those of its calls, by their kind. Whatever
    people do at github.com is a method here.
    """

    def __init__(self, folder: Path, *, webhook_url: str = "", port: int = 0) -> None:
        self.folder = folder
        self.app = AppIdentity()
        self.world = World()
        self.bot = self.world.add_account(f"{self.app.slug}[bot]", is_bot=True)
        self.courier = Courier(webhook_url, self.app.webhook_secret, self.app.installation)
        self.tokens = Tokens(self.world, self.app, self.bot)
        self.calls: list[Call] = []
        self.moments = Moments()
        self.url = ""
        self._port = port
        self._faults = Faults()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        listening = socket.create_server((HOST, self._port))
        self.url = f"http://{HOST}:{listening.getsockname()[1]}"
        self.forge = Forge(self.world, self.courier, self.app, self.url)
        application = web.Application(client_max_size=1 << 30)
        add_control_routes(application, self)
        front = Front(self.forge, self.tokens, self._faults, self.calls, self.moments)
        front.add_routes(application)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_LIMIT_S)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()
        await self.courier.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.courier.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def switches(self) -> Switches:
        return self.world.switches

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
        await git.clone(source, bare)
        await prepare(bare)
        home = self.forge.add_repository(full_name, bare)
        home.rules = Rules(**rules)
        return home

    async def push(self, home: Repository, branch: str, login: str, files: Mapping[str, str]) -> str:
        """Somebody commits these files to a branch and pushes; the new head."""
        new = await git.commit(home.folder, branch, files, f"{login} was here")
        await self.forge.pushed(home, branch, new, self.world.account(login))
        return new

    async def delete_branch(self, home: Repository, branch: str, login: str) -> None:
        """Somebody deletes a branch, which closes its pull requests."""
        await git.run(home.folder, "update-ref", "-d", f"refs/heads/{branch}")
        await self.forge.pushed(home, branch, None, self.world.account(login))

    async def review(self, home: Repository, one: Pull, login: str, event: str, body: str = "") -> None:
        """Somebody reviews at github.com."""
        by = self.world.account(login)
        await self.forge.review(home, one, by, event=event, body=body, sha=None)

    async def check(
        self,
        home: Repository,
        sha: str,
        name: str,
        conclusion: str | None,
        summary: str = "",
        *,
        annotations: Iterable[Mapping[str, Any]] = (),
        log: str = "",
    ) -> None:
        """A check of GitHub Actions ran (or runs: None) on a commit, with remarks about lines and a log."""
        remarks = [dict(one) for one in annotations]
        await self.forge.check(
            home,
            name=name,
            sha=sha,
            conclusion=conclusion,
            app_id=OTHER_APP,
            summary=summary,
            annotations=remarks,
            log=log,
        )

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

    def installs(self, action: Literal["created", "deleted", "suspend", "unsuspend"], login: str) -> None:
        """Somebody installs the app, takes it away, suspends it or ends that."""
        if action in ("deleted", "suspend"):
            self.tokens.uninstall()
        self.app.is_installed, self.app.is_suspended = action != "deleted", action == "suspend"
        self.forge.installed(action, self.world.account(login))

    # What goes wrong, and what was done.

    def fail(self, kind: str, fault: Fault, times: int = 1) -> None:
        """Spoil the next calls of a kind: as `Call.kind` has it, "push", "fetch", "graphql" or "token".

        "graphql:EnableAutoMerge" means the documents of that name alone.
        """
        self._faults.add(kind, fault, times)

    def forgive(self) -> None:
        """Take back every fault that was ordered."""
        self._faults.clear()

    def acts(self) -> list[str]:
        """Who reviewed, merged and the like, in order: "user:eve POST /repos/.../reviews".

        Mutations are named as GraphQL names them: "user:eve enqueuePullRequest".
        """
        done = []
        for one in self.calls:
            done += [f"{one.who} {deed}" for deed in one.deeds]
            if one.kind.endswith(ACTING) and not one.kind.startswith("GET "):
                done.append(f"{one.who} {one.kind}")
        return done


async def serve(port: int, webhook_url: str, source: Path | None) -> None:
    """Run with one repository and some people until interrupted or terminated."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory() as folder:
        bare = source or Path(folder, "shop.git")
        if source is None:
            await asyncio.to_thread(make_repository, bare)
        async with GitHubPlayground(Path(folder), webhook_url=webhook_url, port=port) as there:
            await there.repository("acme/shop", bare)
            for login, may in PEOPLE.items():
                there.person(login, emails=[f"{login}@acme.test"], may=may)
            key = await asyncio.to_thread(_kept, there, Path(folder, "app.pem"))
            token = there.personal_token("ann")
            print(f"GitHub playground on {there.url} (app {there.app.id}, key {key}, token of ann {token})")
            print(
                f"client {there.app.client_id} {there.app.client_secret}, webhooks {there.app.webhook_secret}"
            )
            print(f"By hand: POST {there.url}/_control/<name>; state: {there.url}/_state", flush=True)
            await stopped.wait()


def _kept(there: GitHubPlayground, key: Path) -> Path:
    """The private key of the app in a file, as its owner downloads it."""
    key.write_text(there.app.private_key)
    return key


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m playground.github", description="GitHub on loopback")
    parser.add_argument("--port", type=int, default=4013)
    parser.add_argument("--webhook-url", default="", help="where signed webhooks go; none without it")
    parser.add_argument("--source", type=Path, help="a bare repository to copy; default: a small shop")
    asyncio.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
