"""Git over HTTP of the GitHub stand-in: `git http-backend`, behind who asks and what they may."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from playground import github_git as git
from playground.github_faults import Call, Faults, spoiled
from playground.github_packets import ZERO, BadPackets, Update, refusal, updates_of, words_in
from playground.github_rights import PEOPLE, has_right, sees
from playground.github_state import Repository
from playground.github_tokens import Credential, Tokens
from playground.github_world import Forge
from playground.moments import Moments

_MAY_CHANGE_WORKFLOWS: Final = "PLAYGROUND_MAY_CHANGE_WORKFLOWS"
_DECLINED: Final = "pre-receive hook declined"
_PUSH: Final = "git-receive-pack"
_ASKED: Final = frozenset({"info/refs", "git-upload-pack", _PUSH})

_HOOK: Final = f"""\
#!/bin/sh
# Commits that are new here and change workflows come only from who may change those.
test -z "${_MAY_CHANGE_WORKFLOWS}" || exit 0
while read -r _ new _; do
  test "$new" != {ZERO} || continue
  path=$(git log --format= --name-only --diff-merges=cc "$new" --not --all -- .github/workflows | head -n 1)
  test -z "$path" && continue
  echo "refusing to allow a GitHub App to create or update workflow" \\
    "\\`$path\\` without \\`workflows\\` permission" >&2
  exit 1
done
"""


async def prepare(folder: Path) -> None:
    """Let a bare repository take pushes."""
    await git.run(folder, "config", "http.receivepack", "true")
    hook = folder / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK)
    hook.chmod(0o755)


class Remote:
    """Answers what git asks below `/owner/name.git/`."""

    def __init__(
        self, forge: Forge, tokens: Tokens, faults: Faults, calls: list[Call], moments: Moments
    ) -> None:
        self._forge = forge
        self._tokens = tokens
        self._faults = faults
        self._calls = calls
        self._moments = moments
        self._one_at_a_time: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        rest = path.partition(".git/")[2]
        if rest not in _ASKED:
            return web.Response(status=404, text="Not Found")
        who = self._tokens.whose(request.headers.get("Authorization", ""))
        if who is not None and who.kind == "app":
            who = None  # The app's own token is for its API alone.
        is_push = _PUSH in (rest, request.query.get("service"))
        home = self._home(request, path, who, is_push=is_push)
        if isinstance(home, web.Response):
            return home
        body = await request.read()
        kind, name = "push" if rest == _PUSH else "fetch", who.name if who else "nobody"
        await self._moments.reach([kind], "before", {"path": path})
        fault = self._faults.take(kind)
        if fault is not None and fault.comes_first:
            self._calls.append(Call(kind, name, fault.status, path=path))
            return spoiled(fault)
        if why := self._refuses(who, home, is_push=is_push):
            self._calls.append(Call(kind, name, 403, path=path))
            return web.Response(status=403, text=why)
        if kind == "push" and who is not None:
            answer = await self._push(request, home, who, body)
        else:
            answer = await serve(request, home.folder, rest, body)
        if fault is None:
            return answer
        if kind == "fetch":
            self._calls.append(Call(kind, name, answer.status, path=path))
        return spoiled(fault)

    def _home(
        self, request: web.Request, path: str, who: Credential | None, *, is_push: bool
    ) -> Repository | web.Response:
        """Where that is, or why it is not there for who asks; an old name leads to the new one."""
        world, (full_name, _, rest) = self._forge.world, path.partition(".git/")
        today = world.repository(full_name.strip("/"))
        home = today or world.moved(full_name.strip("/"))
        if home is None or (who is None and (is_push or home.is_private)):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        if who is not None and not sees(who, home):
            return web.Response(status=404, text="Repository not found.")
        if today is None:
            place = f"{self._forge.url}/{home.full_name}.git/{rest}"
            query = f"?{request.query_string}" if request.query_string else ""
            return web.Response(status=301, headers={"Location": f"{place}{query}"})
        return home

    def _refuses(self, who: Credential | None, home: Repository, *, is_push: bool) -> str | None:
        if who is None:
            return None
        level = "write" if is_push else "read"
        if not has_right(self._forge.app, who, "contents", level):
            return f"Permission to {home.full_name}.git denied to the app."
        if is_push and who.kind in PEOPLE and not home.writes(who.account):
            return f"Permission to {home.full_name}.git denied to {who.account.login}."
        return None

    async def _push(
        self, request: web.Request, home: Repository, who: Credential, body: bytes
    ) -> web.Response:
        try:
            updates = updates_of(body)
        except BadPackets as bad:
            self._calls.append(Call("push", who.name, 400))
            return web.Response(status=400, text=f"fatal: protocol error: {bad}")
        refs = [one.ref for one in updates]
        if answer := _forbidden(home, updates):
            self._calls.append(Call("push", who.name, 403, refs))
            return answer
        async with self._one_at_a_time[home.id]:
            return await self._moved(request, home, who, updates, body)

    async def _moved(
        self, request: web.Request, home: Repository, who: Credential, updates: list[Update], body: bytes
    ) -> web.Response:
        branches = [one.branch for one in updates if one.branch]
        before = {branch: await git.head_of(home.folder, branch) for branch in branches}
        more = {_MAY_CHANGE_WORKFLOWS: "1"} if self._may_change_workflows(who) else {}
        answer = await serve(request, home.folder, _PUSH, body, more)
        told = answer.body if isinstance(answer.body, bytes) else b""
        words = words_in(told) if _DECLINED.encode() in told else ""
        status = 403 if words else answer.status
        self._calls.append(Call("push", who.name, status, [one.ref for one in updates]))
        if words:
            return _refusal(updates, words, {one.ref: words for one in updates})
        for branch in branches:
            now = await git.head_of(home.folder, branch)
            if now != before[branch]:
                await self._forge.pushed(home, branch, now, who.account)
        await self._moments.reach(["push"], "executed", {"path": request.raw_path})
        return answer

    def _may_change_workflows(self, who: Credential) -> bool:
        return has_right(self._forge.app, who, "workflows", "write")


def _forbidden(home: Repository, updates: list[Update]) -> web.Response | None:
    """Refuses the whole push if one of its refs is not for pushing."""
    protected = [one.ref for one in updates if one.branch == home.base]
    if protected:
        words = f"error: GH006: Protected branch update failed for {protected[0]}."
        return _refusal(updates, words, dict.fromkeys(protected, "protected branch hook declined"))
    hidden = [one.ref for one in updates if not one.ref.startswith(("refs/heads/", "refs/tags/"))]
    if hidden:
        words = "error: this ref is not for pushing"
        return _refusal(updates, words, dict.fromkeys(hidden, "deny updating a hidden ref"))
    return None


def _refusal(updates: list[Update], words: str, why: Mapping[str, str]) -> web.Response:
    content = refusal(updates, words, why, _DECLINED)
    return web.Response(body=content, content_type="application/x-git-receive-pack-result")


async def serve(
    request: web.Request, folder: Path, service: str, body: bytes, more: Mapping[str, str] | None = None
) -> web.Response:
    """Answer a smart HTTP request from a repository; who asks was looked at before."""
    environment = {
        "PATH": os.environ["PATH"],
        **git.ALONE,
        **(more or {}),
        "GIT_PROJECT_ROOT": str(folder.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{folder.name}/{service}",
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "REMOTE_USER": "somebody",
        "REMOTE_ADDR": "127.0.0.1",
        # aiohttp has unpacked the body.
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    out, _ = await process.communicate(body)
    head, _, content = out.partition(b"\r\n\r\n")
    status, headers = 200, dict[str, str]()
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif name:
            headers[name] = value
    return web.Response(status=status, headers=headers, body=content)
