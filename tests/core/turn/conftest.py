"""A scene with one small repository."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.routing import Repository
from tests.core.turn.fakes import Scene, scene_in


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that nobody writes to."""
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "search.py").write_text("def search():\n    return []\n")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.test")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture
def shop(upstream: Path) -> Repository:
    return Repository(name="acme/shop", url=str(upstream), teams=("ENG",))


@pytest.fixture
async def scene(tmp_path: Path, shop: Repository) -> AsyncIterator[Scene]:
    async with scene_in(tmp_path, [shop]) as scene:
        yield scene
