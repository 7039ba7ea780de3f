"""Everything an agent can plant, against the real way out, and against the naive one, where it works."""

import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.workspace.clone import Workspace
from core.workspace.commit import commit
from core.workspace.humans import United, bring_in, update_from_base
from core.workspace.outcomes import Pushed
from tests.core.workspace.attacks import ATTACKS, Ground, ground
from tests.core.workspace.conftest import ANN, BRANCH, run
from tests.core.workspace.forge import TOKEN, WITHIN_S, Forge, login
from tests.core.workspace.test_push import as_a_person, over, sent, work

ASK = '#!/bin/sh\ncase "$1" in Username*) echo x-access-token;; *) echo "$SVC_TOKEN";; esac\n'


def agent(workspace: Workspace, forge: Forge, stranger: Forge, tmp_path: Path) -> Ground:
    secrets = forge.root / "shop.git" / "objects"
    return ground(workspace.path, tmp_path, host=forge.url(), stranger=stranger.url(), secrets=secrets)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nothing_that_is_planted_runs_or_hears_of_the_token(
    hosted: Workspace, forge: Forge, stranger: Forge, tmp_path: Path, attack: str
) -> None:
    here, plant = agent(hosted, forge, stranger, tmp_path), ATTACKS[attack]

    plant(here)
    ours = await work(hosted)
    assert await sent(await over(hosted), forge) == Pushed(ours)

    plant(here)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    base = as_a_person(tmp_path, forge, "base.py", branch="main")
    assert await bring_in(hosted, theirs, access=forge.access(), pushed=ours) == United(theirs, moved=True)

    plant(here)
    if (made := await commit(hosted, "What was planted", ANN)) is not None:
        theirs = made.sha
    united = await update_from_base(hosted, forge.url(), "main", access=forge.access())
    assert isinstance(united, United)
    assert base in run(hosted.host_git, "rev-list", united.sha)
    assert await sent(await over(hosted), forge, forge.head(BRANCH)) == Pushed(united.sha)

    assert not here.fired, here.mark.read_text()
    assert stranger.seen == []
    assert forge.branches() == {"refs/heads/main", f"refs/heads/{BRANCH}"}
    assert str(here.payload) not in (hosted.path / ".git" / "config").read_text()


@dataclass
class Naive:
    """A service that runs git with its token where the agent worked."""

    tree: Path
    environment: dict[str, str]

    def serve(self, url: str) -> None:
        for command in (
            ["status", "--porcelain"],
            ["add", "-A"],
            ["commit", "-q", "-m", "x"],
            ["diff", "HEAD~1", "--stat"],
            ["diff", "HEAD~1"],
            ["push", "-q", url, "HEAD:refs/heads/naive"],
        ):
            subprocess.run(
                ["git", *command],
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=WITHIN_S,
                check=False,
            )


def test_the_naive_way_falls_for_many_of_them(
    upstream: Path, forge: Forge, stranger: Forge, tmp_path: Path
) -> None:
    ask = tmp_path / "ask.sh"
    ask.write_text(ASK)
    ask.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_SYSTEM": os.devnull}
    environment |= {f"GIT_{role}_NAME": "Service" for role in ("AUTHOR", "COMMITTER")}
    environment |= {f"GIT_{role}_EMAIL": "service@acme.test" for role in ("AUTHOR", "COMMITTER")}
    environment |= {"GIT_ASKPASS": str(ask), "SVC_TOKEN": TOKEN, "GIT_TERMINAL_PROMPT": "0"}
    fell, told = [], []
    for number, (name, plant) in enumerate(ATTACKS.items()):
        folder = tmp_path / f"naive{number}"
        folder.mkdir()
        run(tmp_path, "clone", "-q", str(upstream), str(folder / "tree"))
        secrets = forge.root / "shop.git" / "objects"
        here = ground(folder / "tree", folder, host=forge.url(), stranger=stranger.url(), secrets=secrets)
        plant(here)
        (here.tree / "new.py").write_text("a\n")
        stranger.seen.clear()
        Naive(here.tree, environment).serve(forge.url())
        if here.fired and f"token={TOKEN}" in here.mark.read_text():
            fell.append(name)
        if login(TOKEN) in {given for _, _, given in stranger.seen}:
            told.append(name)
    assert len(fell) >= 15, fell
    assert "insteadOf" in told


def seen_by_everybody(token: str) -> list[tuple[str, str]]:
    """Where the arguments or the environment of a process hold the token, and its number."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        for place in ("cmdline", "environ"):
            try:
                text = (process / place).read_bytes()
            except OSError:  # It ended, or is another user's.
                continue
            if token.encode() in text:
                found.append((place, process.name))
    return found


def commands() -> set[str]:
    """What runs at the moment, by the last part of the program's name."""
    names = set[str]()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                arguments = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            names.update(Path(one.decode(errors="replace")).name for one in arguments[:2])
    return names


class Recorder(threading.Thread):
    """Looks at all processes over and over, until it has seen a push that waits at the host."""

    def __init__(self, forge: Forge) -> None:
        super().__init__()
        self._forge = forge
        self.token: list[tuple[str, str]] = []
        self.commands: set[str] = set()
        self.looks = 0

    def run(self) -> None:
        while not self._forge.waiting.is_set() or self.looks == 0:
            self._look()
        self._look()
        self._forge.released.set()

    def _look(self) -> None:
        self.token += seen_by_everybody(TOKEN)
        self.commands |= commands()
        self.looks += 1


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")


@needs_proc
async def test_no_process_shows_the_token(hosted: Workspace, forge: Forge) -> None:
    head = await work(hosted)
    handover = await over(hosted)
    forge.held = True
    recorder = Recorder(forge)
    recorder.start()
    assert await sent(handover, forge) == Pushed(head)
    recorder.join(WITHIN_S)
    assert recorder.token == []
    assert {"git", "git-remote-http"} <= recorder.commands


@needs_proc
@pytest.mark.parametrize("naive", ["arguments", "environment"])
def test_the_recorder_sees_a_token_that_is_shown(
    upstream: Path, forge: Forge, tmp_path: Path, naive: str
) -> None:
    ask = tmp_path / "ask.sh"
    ask.write_text(ASK)
    ask.chmod(0o755)
    forge.held = True
    recorder = Recorder(forge)
    recorder.start()
    shown = ["-c", f"http.userAgent=git {TOKEN}"] if naive == "arguments" else []
    environment = {"PATH": os.environ["PATH"], "GIT_ASKPASS": str(ask), "SVC_TOKEN": TOKEN}
    command = ["git", *shown, "push", "-q", forge.url(), "main:refs/heads/shown"]
    subprocess.run(command, cwd=upstream, env=environment, check=True, timeout=WITHIN_S)
    recorder.join(WITHIN_S)
    assert {"arguments": "cmdline", "environment": "environ"}[naive] in {place for place, _ in recorder.token}
