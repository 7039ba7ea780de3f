"""One running service between both platforms for each module, and a room of its own for each scenario."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.linear_endpoint import Echo
from playground.stage import Stage
from tests.conformance.platforms import ROOMS
from tests.conformance.support import DIFFERENCES, PLATFORMS, Difference
from tests.conformance.talk import Talk
from tests.scenarios.conftest import on_stage
from tests.scenarios.test_people import with_links


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """With Slack and Teams; people have to be known in Linear."""
    patient = {"rate_factor": None, "answer_within_s": 20.0, "invoke_within_s": 20.0}
    async with on_stage(tmp_path_factory.mktemp("conformance"), teams=patient) as stage:
        with_links(stage)
        await stage.serve()
        yield stage


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    """Every scenario is played on each."""
    return str(request.param)


@pytest.fixture
def limit(request: pytest.FixtureRequest, platform: str) -> Difference | None:
    """What the matrix says that this platform does instead, if it does."""
    return DIFFERENCES.get((request.node.originalname, platform))


@pytest_asyncio.fixture(loop_scope="module")
async def talk(stage: Stage, platform: str) -> AsyncIterator[Talk]:
    """In a room of its own; afterwards the stand-ins behave again."""
    room = ROOMS[platform](stage)
    yield Talk(room)
    room.calm()
    stage.linear.faults.clear()
    stage.linear.endpoint.echo = Echo()
