"""The service is killed at any point between a commit and its merge: one of everything, told once."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress

import httpx
import pytest
import pytest_asyncio

from playground.github_faults import Fault
from playground.github_git import run
from playground.slack_blocks import elements_of
from playground.stage import HOSTED, Stage
from tests.faults.points import Point, github, slack
from tests.faults.theatre import Theatre
from tests.scenarios.pulls import Pulls, on_pull_stage, writes
from tests.scenarios.thread import Thread, new_channel

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

OPEN = "POST /repos/{owner}/{repo}/pulls"
REVIEW = "POST /repos/{owner}/{repo}/pulls/{number}/reviews"
MERGE = "PUT /repos/{owner}/{repo}/pulls/{number}/merge-async"
LOOK = "graphql:PullFacts"

SHIPPING: dict[str, Point] = {
    "there is a commit, not pushed": github("push", "before"),
    "it is pushed, unanswered": github("push", "executed"),
    "it is pushed, no pull request is there": github(OPEN, "before"),
    "the pull request is there, unanswered": github(OPEN, "executed"),
    "its card is there, unanswered": slack("chat.postMessage", "executed", of=f"{HOSTED} #"),
}
"""One after the other, each in the life that begins after the death before."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_pull_stage(tmp_path_factory.mktemp("pulls")) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> Thread:
    stage.model.play([writes("notes")])
    return Thread(stage, new_channel(stage))


async def dies(theatre: Theatre, begin: Callable[[], Awaitable[object]], *points: Point) -> None:
    """Begin something; the service is killed at each of these points, and lives again after the last one."""
    first, *others = points
    first(theatre)
    await begin()
    await theatre.dead()
    for point in others:
        point(theatre)
        await theatre.serve_until_killed()
    await theatre.stage.serve()


async def test_kills_on_the_way_to_a_pull_request_leave_one_of_it(thread: Thread) -> None:
    theatre = Theatre(thread.stage)

    async def begin() -> None:
        thread.mention("write the notes")

    await dies(theatre, begin, *SHIPPING.values())
    pulls = Pulls(thread)
    await thread.ended()
    pull = await pulls.opened()
    await thread.until(
        lambda: any(f"#{pull.number} · " in one for one in thread.told("response")), "Linear tells of it"
    )
    await thread.all_marked_done()
    assert len(pulls.cards()) == 1
    assert sum(f"{HOSTED}#{pull.number}" in one for one in thread.texts()) == 1
    assert [link["url"] for link in thread.session()["externalLinks"]].count(pull_url(pulls)) == 1
    commits = await run(pulls.home.folder, "log", "--format=%s", f"main..{pull.branch}")
    assert len(commits.splitlines()) == 1
    assert pull.head_sha == (await run(pulls.home.folder, "rev-parse", pull.branch)).strip()
    branches = await run(pulls.home.folder, "branch", "--format=%(refname:short)")
    assert sorted(branches.split()) == sorted(["main", pull.branch])
    thread.same_story()


def pull_url(pulls: Pulls) -> str:
    return f"{pulls.stage.github.url}/{HOSTED}/pull/{pulls.pull.number}"


async def test_kills_on_the_way_to_a_merge_leave_one_review_and_one_merge(thread: Thread) -> None:
    theatre, there = Theatre(thread.stage), thread.stage.github
    thread.mention("write the notes")
    await thread.ended()
    pulls = Pulls(thread)
    pull = await pulls.opened()
    look = github(LOOK, "before", of=f"'number': {pull.number}")

    # GitHub has told us, and nobody has looked.
    async def ready() -> None:
        there.forge.ready(pulls.home, pull, there.bot, is_draft=False)

    await dies(theatre, ready, look)
    await thread.until_shown(f"[Approve {pull.head_sha[:7]}]")

    # Eve has linked her account, and what she asked for was not let go on; then it was done, unanswered.
    await press(pulls, f"Approve {pull.head_sha[:7]}")
    async with httpx.AsyncClient() as browser:
        address = await pulls.sign_in(browser, "U0EVE", "eve")
        look(theatre)
        with suppress(httpx.TransportError):
            await pulls.confirm(browser, address)
    await theatre.dead()
    hold(thread.stage)
    github(REVIEW, "executed")(theatre)
    await theatre.serve_until_killed()
    await thread.stage.serve()
    await thread.until_shown("Approved by Eve")

    # Her wish to merge is stored, and nothing was begun; then it was done, unanswered.
    await thread.until_shown("[Merge]")
    await press(pulls, "Merge")
    label = f"Merge {pull.head_sha[:7]} as squash"
    await pulls.told("U0EVE", label)
    await dies(theatre, lambda: press(pulls, label), look_for_a_wish, github(MERGE, "executed"))
    await thread.until_shown("Merged by Eve as squash")
    await thread.until(
        lambda: any("Merged by Eve" in one for one in thread.told("response")), "Linear tells of it"
    )

    await thread.all_marked_done()
    assert pulls.reviews("eve") == ["APPROVED"]
    assert [one.startswith("user:eve ") for one in there.acts()] == [True, True]
    merges = await run(pulls.home.folder, "log", "--format=%s", "main")
    assert merges.count(f"(#{pull.number})") == 1
    assert len(pulls.cards()) == 1
    told = thread.told("response")
    assert [sum(words in one for one in told) for words in ("Approved by Eve at", "Merged by Eve")] == [1, 1]
    assert len(pulls.told_to("U0EVE")) == 3, pulls.told_to("U0EVE")
    thread.same_story()


def look_for_a_wish(theatre: Theatre) -> None:
    """The service dies before it looks for a wish that is stored; it looks for other reasons, too."""
    there = theatre.stage.github

    async def kill() -> None:
        there.fail(LOOK, Fault(drop="before"))
        await theatre.kill()

    there.moments.at(LOOK, "before", kill, when=lambda _: wishes(theatre.stage, "due") > 0)


async def press(pulls: Pulls, label: str) -> None:
    """Eve presses it, on the card or on what only she sees; the service may die of it."""
    for message in (*pulls.thread.ours(), *pulls.whispers("U0EVE")):
        for _, element in elements_of(message.blocks):
            if element.get("text", {}).get("text") == label:
                channel, action = pulls.thread.channel, element["action_id"]
                people, value = pulls.stage.slack.people, element.get("value")
                await people.click("U0EVE", channel, message.ts, action, value=value)
                return
    raise AssertionError(f"no button {label}")


def hold(stage: Stage) -> None:
    """As it is when the link is confirmed and nothing that waited for it was let go on."""
    with closing(sqlite3.connect(stage.folder / "var" / "threadline.db")) as database, database:
        database.execute("UPDATE acts SET state = 'held', once = NULL WHERE state = 'due'")
    assert (wishes(stage, "held"), wishes(stage, "due")) == (1, 0)


def wishes(stage: Stage, state: str) -> int:
    """How many are stored in that state."""
    with closing(sqlite3.connect(stage.folder / "var" / "threadline.db")) as database:
        counted = database.execute("SELECT count(*) FROM acts WHERE state = ?", (state,))
        [number] = counted.fetchone()
    return int(number)
