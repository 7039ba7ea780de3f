"""What every tracker promises the turns: `core.ports.Tracker`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest

from core.activities import Author
from core.errors import TryLater
from core.ids import uuid_for
from core.ports import TrackedIssue, Tracker
from linear.client import LinearClient, StaticToken
from linear.tracker import LinearTracker
from playground.linear import LinearPlayground
from tests.core.turn.fakes import FakeTracker

ANN = Author("slack", "T0001/U0ANN", "Ann", "ann@acme.test")
THREAD_URL = "https://acme.slack.test/archives/C0001/p1700000000000100"


@dataclass
class Office:
    """A tracker, and a way to make its next call fail."""

    tracker: Tracker
    fail_next: Callable[[], None]

    async def new_issue(self, name: str = "one") -> TrackedIssue:
        return await self.tracker.create_issue(
            id=uuid_for(name), title="Search is broken", description="It is.", team="ENG", requester=ANN
        )


async def linear() -> AsyncIterator[Office]:
    async with LinearPlayground() as playground, httpx.AsyncClient() as http:
        client = LinearClient(http, playground.graphql_url, StaticToken(playground.settings.app_token))
        tracker = LinearTracker(client, default_team=None, as_app=True)
        await tracker.workspace()

        def fail_next() -> None:
            playground.faults.down = True

        yield Office(tracker, fail_next)


async def fake() -> AsyncIterator[Office]:
    tracker = FakeTracker()
    yield Office(tracker, lambda: tracker.errors.append(TryLater("away")))


@pytest.fixture(params=[linear, fake], ids=["linear", "fake"])
async def office(request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    async for one in request.param():
        yield one


async def test_an_issue_is_created_once_under_its_id(office: Office) -> None:
    first, second = [await office.new_issue() for _ in range(2)]
    assert first == second
    assert (first.id, first.title, first.team) == (uuid_for("one"), "Search is broken", "ENG")


async def test_another_id_is_another_issue(office: Office) -> None:
    one, other = await office.new_issue("one"), await office.new_issue("other")
    assert one.identifier != other.identifier
    assert one.url != other.url


async def test_an_issue_is_found_by_its_id(office: Office) -> None:
    made = await office.new_issue()
    assert await office.tracker.find_issue(made.id) == made


async def test_nothing_is_meant_where_nothing_is_named_or_linked(office: Office) -> None:
    found = await office.tracker.find_meant(text="search is broken", thread_url=THREAD_URL, requester=ANN)
    assert found is None


async def test_each_issue_gets_a_session_of_its_own(office: Office) -> None:
    opened = [
        await office.tracker.open_session(await office.new_issue(name), thread_url=THREAD_URL, again=False)
        for name in ("one", "other")
    ]
    assert len(set(opened)) == 2


async def test_a_session_that_was_opened_is_found_by_a_second_attempt(office: Office) -> None:
    issue = await office.new_issue()
    opened = await office.tracker.open_session(issue, thread_url=THREAD_URL, again=False)
    assert await office.tracker.open_session(issue, thread_url=THREAD_URL, again=True) == opened


async def test_a_second_attempt_opens_what_never_was(office: Office) -> None:
    issue = await office.new_issue()
    assert await office.tracker.open_session(issue, thread_url=THREAD_URL, again=True)


async def test_trouble_that_passes_is_said_to_pass(office: Office) -> None:
    office.fail_next()
    with pytest.raises(TryLater):
        await office.new_issue()
