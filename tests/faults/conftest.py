"""Two services for all fault tests: what a crash left in a database is part of what the next one meets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from playground.shop import make_repository
from playground.stage import Stage
from tests.faults.scene import Reference, together
from tests.faults.scripts import SCRIPTS
from tests.faults.slow_git import slow_git
from tests.faults.theatre import Theatre

# Nothing is routed by default: a mention in C0002 has to ask for the repository.
CONFIG = """\
[[repositories]]
name = "acme/shop"
url = "{repository}"
base = "main"
teams = ["ENG"]
channels = ["slack:T0001/C0001"]

[[repositories]]
name = "acme/docs"
url = "{repository}"
base = "main"
"""

Pair = tuple[Theatre, Theatre]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stage, Stage]]:
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(_stage(tmp_path_factory, name)) for name in ("one", "other")
        ]
        await together(one.serve(), other.serve())
        yield one, other


def _stage(tmp_path_factory: pytest.TempPathFactory, name: str) -> Stage:
    folder = tmp_path_factory.mktemp(name)
    repository = make_repository(folder / "shop.git")
    return Stage(
        folder,
        scripts=SCRIPTS,
        repository=repository,
        config=CONFIG.format(repository=repository),
        environment=slow_git(folder),
        # Slack's limits would only make many sessions in one workspace slow; one test brings 429s itself.
        slack={"rate_factor": None},
    )


@pytest_asyncio.fixture(loop_scope="session")
async def theatres(stages: tuple[Stage, Stage]) -> AsyncIterator[Pair]:
    """Two of them, so that a test can use both processors."""
    one, other = [Theatre(stage) for stage in stages]
    await together(one.ready(), other.ready())
    yield one, other
    await together(one.ready(), other.ready())
    await together(one.no_agents(), other.no_agents())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reference(stages: tuple[Stage, Stage]) -> Reference:
    """The session without any trouble."""
    theatre = Theatre(stages[0])
    await theatre.ready()
    scene = theatre.scene()
    await scene.play(turns=1)
    first = scene.seen()
    await scene.next_turn()
    await theatre.no_agents()
    return first, scene.seen()
