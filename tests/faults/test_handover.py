"""A service that dies at any point of a hand-over loses nothing, doubles nothing and overwrites nobody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.workspace.conftest import forge, run, upstream
from tests.core.workspace.forge import TOKEN, Forge

__all__ = ["forge", "upstream"]

SESSIONS = 80


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_a_death_after_every_call_that_changes_something_changes_nothing_about_the_end(
    forge: Forge, tmp_path: Path
) -> None:
    repository = forge.root / "shop.git"
    person = tmp_path / "person"
    run(tmp_path, "clone", "-q", str(repository), str(person))
    (person / "theirs.py").write_text("theirs\n")
    run(person, "add", ".")
    run(person, "commit", "-qm", "Theirs")
    theirs = run(person, "rev-parse", "HEAD")
    base = run(repository, "rev-parse", "main")
    run(person, "push", "-q", "origin", *(f"HEAD:refs/heads/fix-{number}" for number in range(1, SESSIONS)))

    folder = tmp_path / "service"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.faults.handover_crashes", str(folder), forge.url(), TOKEN]
    played = subprocess.run(command, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stderr
    lives = [json.loads(line) for line in played.stdout.splitlines()]

    assert [life["second"] for life in lives] == [0] * len(lives), played.stderr
    # After the last one of all there is nothing left to die of.
    assert [life["first"] for life in lives[:-1]] == [-9] * (len(lives) - 1)
    died_after = {verb for life in lives for verb in life["died_after"]}
    assert {
        "add",
        "commit-tree",
        "fetch",
        "init",
        "merge-tree",
        "push",
        "read-tree",
        "update-ref",
    } <= died_after
    assert len(lives) < SESSIONS
    for life in lives:
        branch = f"fix-{life['session']}"
        subjects = run(repository, "log", "--no-merges", "--format=%s", f"{base}..{branch}").splitlines()
        assert sorted(subjects) == ["Ours", "Theirs"], life
        assert run(repository, "merge-base", theirs, branch) == theirs
        names = run(repository, "ls-tree", "-r", "--name-only", branch).splitlines()
        assert names == [".gitignore", "ours.py", "search.py", "theirs.py"]
        tree = folder / "data" / "sessions" / branch / "workspace"
        assert (tree / "theirs.py").read_text() == "theirs\n"
        assert run(tree, "rev-parse", "HEAD") == run(repository, "rev-parse", branch)
        assert run(tree, "status", "--porcelain") == ""
