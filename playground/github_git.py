"""The git half of the GitHub stand-in: bare repositories, and `git http-backend` in front of them."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

_IDENTITY = {"GIT_AUTHOR_NAME": "GitHub", "GIT_AUTHOR_EMAIL": "noreply@github.test"}
_IDENTITY |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.test"}
_ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_UPDATE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) (refs/[^\0\n]+)")
ZERO = "0" * 40


class GitFailed(Exception):
    """git said no; `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def run(folder: Path, *arguments: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
    """What `git ARGUMENTS` prints in a bare repository, without the last newline."""
    process = await asyncio.create_subprocess_exec(
        "git",
        "--git-dir",
        str(folder),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **_ALONE, **_IDENTITY},
    )
    out, err = await process.communicate(stdin)
    if process.returncode not in ok:
        raise GitFailed(err.decode(errors="replace").strip() or "git failed", process.returncode or 1)
    return out.decode(errors="replace").removesuffix("\n")


@dataclass(frozen=True, slots=True)
class Change:
    """What a branch changes: (path, added, deleted) of each file."""

    files: tuple[tuple[str, int, int], ...]

    @property
    def additions(self) -> int:
        return sum(added for _, added, _ in self.files)

    @property
    def deletions(self) -> int:
        return sum(deleted for _, _, deleted in self.files)


async def head_of(folder: Path, branch: str) -> str | None:
    """The commit of a branch; None if there is no such branch."""
    found = await run(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1))
    return found or None


async def change_of(folder: Path, base: str, head: str) -> Change:
    """What `head` changes since it left `base`."""
    listed = await run(folder, "diff", "--numstat", "-z", "--no-renames", f"{base}...{head}")
    files = []
    for line in listed.split("\0"):
        if line:
            added, deleted, path = line.split("\t", 2)
            files.append((path, int(added) if added != "-" else 0, int(deleted) if deleted != "-" else 0))
    return Change(tuple(files))


async def conflicts(folder: Path, base: str, head: str) -> bool:
    """Whether the two do not merge by themselves."""
    try:
        await run(folder, "merge-tree", "--write-tree", "--no-messages", base, head)
    except GitFailed as error:
        if error.code == 1:
            return True
        raise
    return False


async def is_behind(folder: Path, base: str, head: str) -> bool:
    """Whether `base` has commits that `head` lacks."""
    return await run(folder, "rev-list", "--count", f"{head}..{base}") != "0"


async def merge(folder: Path, base: str, head: str, *, method: str, message: str) -> str:
    """Bring `head` into the branch `base` as GitHub does; the new commit."""
    old = await run(folder, "rev-parse", f"refs/heads/{base}")
    tree = (await run(folder, "merge-tree", "--write-tree", "--no-messages", old, head)).splitlines()[0]
    parents = ["-p", old] + (["-p", head] if method == "merge" else [])
    new = await run(folder, "commit-tree", tree, *parents, stdin=message.encode())
    await run(folder, "update-ref", f"refs/heads/{base}", new, old)
    return new


async def update(folder: Path, branch: str, base: str) -> str:
    """Merge `base` into `branch`; its new head."""
    old, onto = await run(folder, "rev-parse", f"refs/heads/{branch}"), await run(folder, "rev-parse", base)
    tree = (await run(folder, "merge-tree", "--write-tree", "--no-messages", old, onto)).splitlines()[0]
    text = f"Merge branch '{base}' into {branch}".encode()
    new = await run(folder, "commit-tree", tree, "-p", old, "-p", onto, stdin=text)
    await run(folder, "update-ref", f"refs/heads/{branch}", new, old)
    return new


async def commit(folder: Path, branch: str, files: Mapping[str, str], message: str) -> str:
    """Commit whole files on a branch, which is made from the default one if it is not there."""
    old = await head_of(folder, branch) or await run(folder, "rev-parse", "HEAD")
    index = folder / f"index.{os.urandom(8).hex()}"
    environment = {"GIT_INDEX_FILE": str(index)}
    try:
        await _with(folder, environment, "read-tree", old)
        for path, text in files.items():
            blob = await run(folder, "hash-object", "-w", "--stdin", stdin=text.encode())
            await _with(folder, environment, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = await _with(folder, environment, "write-tree")
    finally:
        index.unlink(missing_ok=True)
    new = await run(folder, "commit-tree", tree, "-p", old, stdin=message.encode())
    await run(folder, "update-ref", f"refs/heads/{branch}", new)
    return new


async def _with(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git",
        "--git-dir",
        str(folder),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **_ALONE, **_IDENTITY, **environment},
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise GitFailed(err.decode(errors="replace").strip(), process.returncode or 1)
    return out.decode().removesuffix("\n")


def pushed(body: bytes) -> list[tuple[str, str, str]]:
    """The updates that a push asks for: (old, new, ref) each."""
    head, _, _ = body.partition(b"PACK")
    return [(old.decode(), new.decode(), ref.decode()) for old, new, ref in _UPDATE.findall(head)]


async def serve(request: web.Request, root: Path, path: str, body: bytes) -> web.Response:
    """Answer a smart HTTP request from the repository below `root`; who asks was checked before."""
    environment = {
        "PATH": os.environ["PATH"],
        **_ALONE,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
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


def refuse_push(updates: list[tuple[str, str, str]], why: str) -> bytes:
    """A report-status answer in which every update was refused by a hook, with words on stderr."""
    lines = [b"unpack ok\n"] + [f"ng {ref} {why.splitlines()[0]}\n".encode() for _, _, ref in updates]
    report = b"".join(_packet(line) for line in lines) + b"0000"
    words = "".join(f"{line}\n" for line in why.splitlines()).encode()
    return _packet(b"\2" + words) + _packet(b"\1" + report) + b"0000"


def _packet(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data
