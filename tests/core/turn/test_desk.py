"""The turn's own view of its session: fenced, interruptible, and able to ask."""

import asyncio

import pytest

from core.activities import Blocker, Elicitation, Error, Thought
from core.errors import Fenced
from core.ids import ElicitationId, EntryKey, TurnId
from core.intake import given_of
from core.session import AnswerGiven, StopRequested, TurnOpened
from core.turn.desk import Failed, Stopped, TurnDesk
from tests.core.turn.fakes import ANN, BOB, Scene

TURN = TurnId("turn:1")
QUESTION = Elicitation(id=ElicitationId("q1"), body="Which?")


@pytest.fixture
async def desk(scene: Scene) -> TurnDesk:
    """The desk of an open turn."""
    await scene.say("fix it")
    record = await scene.store.begin_attempt(scene.session, "host/1")
    desk = TurnDesk(scene.crew, record, TURN)
    (row,) = await scene.store.waiting(scene.session)
    opened = TurnOpened(turn=TURN, given=(given_of(row.incoming),), at=scene.clock())
    await desk.apply(opened, take=row.seqs)
    return desk


async def test_a_note_is_logged_once_in_a_turn_and_again_when_it_happens_again(
    scene: Scene, desk: TurnDesk
) -> None:
    for _ in range(2):
        await desk.note("once", Thought(body="Once"))
        await desk.note_again("often", Thought(body="Often"))
    assert [line for line in await scene.story() if line.startswith("thought")] == [
        "thought: Once",
        "thought: Often",
        "thought: Often",
    ]
    assert await scene.store.logged(scene.session, EntryKey("turn:1/once"))


async def test_the_mirror_is_woken_when_there_is_something_to_show(scene: Scene, desk: TurnDesk) -> None:
    scene.stirred.clear()
    await desk.note("once", Thought(body="Once"))
    assert scene.stirred.is_set()


async def test_what_is_remembered_is_remembered_in_both_places(scene: Scene, desk: TurnDesk) -> None:
    await desk.remember(branch="b", cost_usd=0.5)
    assert (desk.record.branch, desk.record.cost_usd) == ("b", 0.5)
    assert ((await scene.record()).branch, (await scene.record()).cost_usd) == ("b", 0.5)


async def test_who_was_overtaken_can_do_nothing(scene: Scene, desk: TurnDesk) -> None:
    await scene.store.begin_attempt(scene.session, "host/2")
    for attempt in (desk.note("once", Thought(body="Once")), desk.remember(branch="b"), desk.ask(QUESTION)):
        with pytest.raises(Fenced):
            await attempt


async def test_an_answer_comes_back_to_who_asked(scene: Scene, desk: TurnDesk) -> None:
    asking = asyncio.create_task(desk.ask(QUESTION))
    await scene.until_told("question: Which?")
    await desk.apply(AnswerGiven(QUESTION.id, BOB, "this one"))
    assert await asking == "this one"
    assert await desk.ask(QUESTION) == "this one"


async def test_work_is_cut_short_by_a_stop(desk: TurnDesk) -> None:
    cut = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    working = asyncio.create_task(desk.unless_stopped(work()))
    await asyncio.sleep(0)
    await desk.apply(StopRequested(ANN))
    with pytest.raises(Stopped):
        await working
    assert cut.is_set()


async def test_work_that_is_done_has_its_result(desk: TurnDesk) -> None:
    async def work() -> str:
        return "done"

    assert await desk.unless_stopped(work()) == "done"


async def test_work_that_fails_says_why(desk: TurnDesk) -> None:
    error = Error(code=Blocker.AGENT_FAILED, body="No.")

    async def work() -> None:
        raise Failed(error)

    with pytest.raises(Failed) as failed:
        await desk.unless_stopped(work())
    assert failed.value.error == error


async def test_work_is_cut_short_with_whoever_waits_for_it(desk: TurnDesk) -> None:
    cut = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    working = asyncio.create_task(desk.unless_stopped(work()))
    await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert cut.is_set()
