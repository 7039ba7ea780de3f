"""Microsoft's client in front of the real service, for each module one of both."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from playground.stage import Stage, free_port
from tests.clients.agents_playground import AgentsPlayground
from tests.clients.browser import Page, opened_page, unpacked_chromium
from tests.clients.relay import Relay
from tests.npm import installed, missing
from tests.scenarios.conftest import on_stage

# The first time 80 MB are fetched. `make clients` waits longer for them, and does without nothing.
INSTALL_WITHIN_S = 240.0 if os.environ.get("CI") else 100.0
UP_WITHIN_S = 60.0

HERE = Path(__file__).parent
PICTURES = HERE.parents[1] / "build" / "pictures"


@pytest.fixture(scope="module")
def programs() -> Path:
    """What npm installed."""
    if sys.platform != "linux":
        missing("the browser and the look at open ports are for Linux")
    return installed(HERE, within_s=INSTALL_WITHIN_S)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("stage"), teams={}) as stage:
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[AgentsPlayground, Relay]]:
    client = AgentsPlayground(programs, tmp_path_factory.mktemp("client"), free_port())
    relay = Relay(stage.teams, bot=stage.url, client=client.url)
    async with relay.open(), client.open(bot=relay.messaging_url, service_url=relay.service_url):
        await stage.until(client.is_up, UP_WITHIN_S, "Microsoft's client is up")
        async with client.watched():
            yield client, relay


@pytest_asyncio.fixture(loop_scope="module")
async def client(world: tuple[AgentsPlayground, Relay]) -> AgentsPlayground:
    return world[0]


@pytest_asyncio.fixture(loop_scope="module")
async def relay(world: tuple[AgentsPlayground, Relay]) -> AsyncIterator[Relay]:
    """Afterwards it signs as it should."""
    yield world[1]
    world[1].signed_by = None


@pytest.fixture(scope="module")
def chromium(programs: Path) -> Path:
    return unpacked_chromium(programs)


@pytest_asyncio.fixture(loop_scope="module")
async def page(programs: Path, chromium: Path, tmp_path: Path) -> AsyncIterator[Page]:
    async with opened_page(programs, chromium, tmp_path) as page:
        yield page
