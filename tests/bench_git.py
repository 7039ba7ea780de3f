"""How long git takes around a session, on a synthetic repository: python -m tests.bench_git [FILES] [ROUNDS]

Everything is real: the repository is served by `git http-backend` on loopback behind a token. Times are
wall-clock seconds, beside those of a plain clone; `git` is how many programs the service itself starts.
Most of the time goes into writing the files of a tree, which depends on the disk. `make bench` runs it.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path

from core.activities import Author
from core.ids import SessionId
from core.ports import GitAccess
from core.workspace.clone import Workspaces
from core.workspace.commit import commit
from core.workspace.git import git
from core.workspace.handover import take_over
from core.workspace.humans import bring_in, update_from_base
from core.workspace.message import by
from core.workspace.push import push
from core.workspace.remote import remote_head
from playground.bench_numbers import spread
from tests.core.workspace.forge import Forge, serving

FILES, ROUNDS = 20_000, 5
FOLDERS, COMMITS, CHANGED = 800, 400, 25
ANN = by(Author("slack", "U1", "Ann", "ann@acme.test"))


class Clock:
    """Times by name, in the order of their first use."""

    def __init__(self, calls: Path) -> None:
        self.times: dict[str, list[float]] = {}
        self.calls: dict[str, int] = {}
        self._calls = calls

    async def time(self, name: str, work: Awaitable[object]) -> object:
        self._calls.write_text("")
        began = time.perf_counter()
        result = await work
        self.times.setdefault(name, []).append(time.perf_counter() - began)
        self.calls[name] = len(self._calls.read_text().splitlines())
        return result


async def measure(folder: Path, forge: Forge, files: int, rounds: int) -> Clock:
    """Every round begins without a copy of the repository, and ends without one."""
    clock = Clock(folder / "calls")
    for number in range(rounds):
        scratch = folder / f"round-{number}"
        plain = git("clone", "--quiet", "--", forge.url(), scratch / "plain", access=forge.access())
        await clock.time("plain git clone with its tree", plain)
        await _round(clock, scratch, forge, files, number)
        await asyncio.to_thread(shutil.rmtree, scratch)
    return clock


async def _round(clock: Clock, scratch: Path, forge: Forge, files: int, number: int) -> None:
    workspaces, branch = Workspaces(scratch / "data"), f"fix-{number}"
    where = ("acme/shop", "main")

    async def access() -> GitAccess:
        return forge.access()

    first, session = SessionId(f"first-{number}"), SessionId(branch)
    await clock.time(
        "clone, and a session's tree", workspaces.prepare(first, *where, f"first-{number}", access=access)
    )
    _as_a_person(forge, "main", 2 * number)
    await clock.time(
        "fetch, and a session's tree", workspaces.prepare(session, *where, branch, access=access)
    )
    await clock.time("the same session again", workspaces.prepare(session, *where, branch, access=access))
    workspace = await workspaces.existing(session)
    assert workspace is not None
    for changed in range(CHANGED):
        _path(workspace.path, changed * 7, files).write_text(f"changed in {number}\n")
    await clock.time(f"commit of {CHANGED} files", commit(workspace, "Work", ANN))
    into = scratch / "handover.git"
    handover = await take_over(workspace, into)
    await clock.time("hand-over with all checks", take_over(workspace, into))
    await clock.time(
        "push", push(handover, access=forge.access(), branch=branch, expect=None, forbidden=["main"])
    )
    await clock.time("where a branch is", remote_head(forge.url(), branch, forge.access()))
    theirs = _as_a_person(forge, branch, number)
    await clock.time("people's push brought in", bring_in(workspace, theirs, access=forge.access()))
    _as_a_person(forge, "main", 2 * number + 1)
    await clock.time(
        "base merged in", update_from_base(workspace, forge.url(), "main", access=forge.access())
    )


def make_repository(path: Path, files: int) -> None:
    """A bare repository with a history, written in one go."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    subprocess.run(["git", "config", "http.receivepack", "true"], cwd=path, check=True)
    stream = "".join(_history(files)).encode()
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, input=stream, check=True)


def _history(files: int) -> Iterator[str]:
    for number in range(COMMITS):
        yield _commit("main", 1_700_000_000 + number)
        for file in range(files) if number == 0 else range(number, files, files // 20):
            lines = "".join(f"line {line} of {file} in {number}\n" for line in range(40))
            yield f"M 100644 inline {_name(file)}\ndata {len(lines)}\n{lines}\n"


def _commit(branch: str, at: int) -> str:
    return f"commit refs/heads/{branch}\ncommitter A <a@acme.test> {at} +0000\ndata 4\nWork\n"


def _name(file: int) -> str:
    return f"area{file % 40}/part{file % FOLDERS}/file{file}.py"


def _path(tree: Path, file: int, files: int) -> Path:
    return tree / _name(file % files)


def _as_a_person(forge: Forge, branch: str, number: int) -> str:
    """A commit on the branch, made at the host without a clone."""
    change = f"from refs/heads/{branch}^0\nM 100644 inline theirs/{branch}{number}.py\ndata 2\nx\n\n"
    stream = _commit(branch, 1_800_000_000 + number) + change
    repository = forge.root / "shop.git"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository, input=stream.encode(), check=True)
    head = forge.head(branch)
    assert head is not None
    return head


def _count_calls(folder: Path) -> None:
    """Every git that this process starts leaves a line in `calls`."""
    programs, git = folder / "programs", shutil.which("git")
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\necho >> {folder / "calls"}\nexec {git} "$@"\n')
    (programs / "git").chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"


def main() -> None:
    given = [int(one) for one in sys.argv[1:]]
    files, rounds = [*given, *(FILES, ROUNDS)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "srv").mkdir()
        make_repository(folder / "srv" / "shop.git", files)
        with serving(Forge(folder / "srv")) as forge:
            _count_calls(folder)
            clock = asyncio.run(measure(folder, forge, files, rounds))
    measured = {
        f"{name} (s)": spread(times) | {"git": clock.calls[name]} for name, times in clock.times.items()
    }
    sys.stdout.write(json.dumps({f"{files:,} files, {COMMITS} commits": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
