"""A repository to work in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.activities import Author
from core.ids import SessionId
from core.ports import GitAccess
from core.workspace.clone import Workspace, Workspaces
from core.workspace.message import by
from tests.core.workspace.forge import Forge, make_repository, serving

ANN = by(Author("slack", "U1", "Ann", "ann@acme.test"))
BRANCH = "ann/eng-1-fix"


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


@pytest.fixture
def forge(tmp_path: Path, upstream: Path) -> Iterator[Forge]:
    """The code host, with the repository as `shop.git`."""
    root = tmp_path / "srv"
    root.mkdir()
    make_repository(root / "shop.git", upstream)
    with serving(Forge(root)) as forge:
        yield forge


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Forge]:
    """Asks everybody for a login, and remembers what it is told."""
    with serving(Forge(tmp_path / "nothing", token="nobody-has-this")) as stranger:
        yield stranger


@pytest.fixture
async def hosted(workspaces: Workspaces, forge: Forge) -> Workspace:
    """A session's workspace in the repository at the code host."""

    async def access() -> GitAccess:
        return forge.access()

    return await workspaces.prepare(SessionId("one"), "acme/shop", "main", BRANCH, access=access)
