"""One running service among stand-ins for each module of scenarios, and a thread for each scenario."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from playground.linear_endpoint import Echo
from playground.shop import make_repository
from playground.slack_delivery import DeliveryOptions
from playground.stage import Stage
from tests.scenarios.thread import Thread, new_channel

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


@asynccontextmanager
async def on_stage(folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """The stand-ins with a repository to work in; the service is not started yet."""
    environment: Mapping[str, str | None] = options.pop("environment", {})
    repository = make_repository(folder / "shop.git")
    # Slack's own limits would only make many sessions in one workspace slow.
    slack = {"rate_factor": None, "answer_within_s": 20.0}
    async with Stage(
        folder,
        repository=repository,
        slack=slack,
        environment={"THREADLINE_RUN__MAX_ACTIVE": "8", **environment},
        **options,
    ) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """With one repository, that everything is routed to."""
    async with on_stage(tmp_path_factory.mktemp("stage")) as stage:
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> AsyncIterator[Thread]:
    """In a channel of its own; afterwards the stand-ins behave again."""
    yield Thread(stage, new_channel(stage))
    stage.slack.api.faults.clear()
    stage.slack.dispatcher.options = DeliveryOptions()
    stage.linear.faults.clear()
    stage.linear.endpoint.echo = Echo()


@pytest.fixture
def golden() -> Golden:
    """Compare with the golden file of that name; with WRITE_GOLDEN=1 write it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("WRITE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
