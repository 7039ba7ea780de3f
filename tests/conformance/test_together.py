"""A session that is followed from Slack and from Teams at once, and from Linear: one truth on three sides."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.stage import Stage
from tests.conformance.platforms import ROOMS
from tests.conformance.support import PLATFORMS, scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.processes import runs
from tests.scenarios.scripts import question, script
from tests.scenarios.test_stop import WRITES_THEN_HANGS

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHICH = "Which one wins?"


@pytest_asyncio.fixture(loop_scope="module")
async def other(stage: Stage, platform: str) -> AsyncIterator[Talk]:
    """A thread on the other platform."""
    (elsewhere,) = set(PLATFORMS) - {platform}
    room = ROOMS[elsewhere](stage)
    yield Talk(room)
    room.calm()


async def follow(talk: Talk, other: Talk) -> None:
    """Eve has it shown on the other platform, too."""
    await talk.until(lambda: talk.issues() and talk.session()["history"], "there is a session")
    identifier = talk.issue()["identifier"]
    other.mention(f"follow {identifier}", by="eve")
    await other.until_shown(f"This thread follows {identifier} now")
    await other.until(lambda: other.cards(), "the progress is shown there, too")


@scenario("Followed from the other platform", "what people say on three sides is shown with their names")
async def test_prompts_on_three_sides(talk: Talk, other: Talk, stage: Stage) -> None:
    name = f"three sides of {talk.platform}"
    told = {"text": "Done, with tests and docs."}
    stage.model.play([script(held(name), {"text": "Done.", "if_told": {r"docs[\s\S]*tests": (told,)}})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await follow(talk, other)
    other.say("with docs, please", by="eve")
    await talk.until_shown(f"Eve in {other.platform}: with docs, please")
    stage.linear.people.prompt(talk.session()["id"], "with tests, too", by="bob")
    for side in (talk, other):
        await side.until_shown("Bob in Linear: with tests, too")
    talk.say("and be quick")
    await other.until_shown(f"Ann in {talk.platform}: and be quick")
    await talk.until_told("and be quick")
    stage.model.release(name)

    await talk.ended()
    for side in (talk, other):
        await side.until_shown("Done, with tests and docs.")
    assert talk.told("thought") == [
        f"Ann in {talk.platform}: fix the search",
        f"Eve in {other.platform}: with docs, please",
        f"Ann in {talk.platform}: and be quick",
    ]
    for side in (talk, other):
        assert sum("Done, with tests and docs." in text for text in side.texts()) == 1
        assert not any(f" in {side.platform}: " in text for text in side.texts())


@scenario("Followed from the other platform", "a question answered there is closed here and in Linear")
async def test_a_question_on_three_sides(talk: Talk, other: Talk, stage: Stage) -> None:
    name = f"question of {talk.platform}"
    asks = {"tools": [question(WHICH, "Archived", "Hidden")]}
    stage.model.play([script(held(name), asks, {"text": "Settled."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await follow(talk, other)
    stage.model.release(name)
    for side in (talk, other):
        await side.until_shown(WHICH)
    await talk.until(lambda: talk.session()["status"] == "awaitingInput", "Linear shows the question")
    await other.press("Archived", by="eve")

    await talk.ended()
    answered = f"Answered by Eve in {other.platform}: Archived"
    for side in (talk, other):
        await side.until_shown(f"→ {answered}")
        assert not side.shows("[Archived]")
    assert talk.told("thought").count(answered) == 1


@scenario("Followed from the other platform", "a stop from there ends it everywhere")
async def test_a_stop_from_the_other_side(talk: Talk, other: Talk, stage: Stage) -> None:
    stage.model.play([WRITES_THEN_HANGS])
    talk.mention("measure the export")
    await talk.until(lambda: runs(stage, "measuring"), "the command runs")
    await follow(talk, other)
    other.say("stop", by="eve")

    await talk.ended()
    assert not runs(stage, "measuring")
    for side in (talk, other):
        await side.until_shown("Stopped by Eve. The work so far is on branch")
        await side.until_progress_ended()
    assert len(talk.told("response")) == 1
