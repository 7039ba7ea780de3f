"""A repository to work in."""

import subprocess
from pathlib import Path

import pytest

from core.workspace.clone import Workspaces


def run(cwd: Path, *arguments: str) -> str:
    """Plain git, as a person uses it."""
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@acme.test", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    upstream = tmp_path / "shop"
    upstream.mkdir()
    run(upstream, "init", "-q", "-b", "main")
    (upstream / "search.py").write_text("def search():\n    return []\n")
    (upstream / ".gitignore").write_text("*.log\n")
    run(upstream, "add", ".")
    run(upstream, "commit", "-qm", "Begin")
    return upstream


@pytest.fixture
def workspaces(tmp_path: Path) -> Workspaces:
    return Workspaces(tmp_path / "data")
