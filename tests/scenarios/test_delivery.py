"""However Slack delivers, one mention is one session and one prompt."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.slack_clock import VirtualClock
from playground.slack_delivery import Delivery, DeliveryOptions
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import DONE, SEEN, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE_SCRIPT = script({"text": "Done as asked."})


@pytest.fixture(scope="module")
def clock() -> VirtualClock:
    """Slack's: what it does later happens when a scenario says so."""
    return VirtualClock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, clock: VirtualClock) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("delivery"), slack_clock=clock) as stage:
        stage.model.play([DONE_SCRIPT])
        await stage.serve()
        yield stage


def deliveries(stage: Stage, ts: str) -> list[Delivery]:
    """What told the app of the message `ts`."""
    return [one for one in stage.slack.dispatcher.log if one.payload.get("event", {}).get("ts") == ts]


async def told_once(thread: Thread) -> None:
    await thread.ended()
    assert len(thread.told("thought")) == 1
    assert len(thread.texts()) == 2
    assert len(thread.issues()) == 1


async def test_the_fates_of_a_message_are_shown_in_order(thread: Thread, stage: Stage) -> None:
    asked = thread.mention("add a line")

    await told_once(thread)
    await thread.until_marked(asked, DONE)
    shown = thread.reaction_history(asked)
    assert (shown[0], shown[-1]) == (SEEN, DONE)


async def test_the_two_events_of_a_mention_are_one_prompt(thread: Thread, stage: Stage) -> None:
    asked = thread.mention("add a line")

    await told_once(thread)
    mention, message = deliveries(stage, asked)
    assert (mention.name, message.name) == ("app_mention", "message")
    assert mention.event_id != message.event_id


@pytest.mark.parametrize(
    "options",
    [
        DeliveryOptions(copies=3),
        DeliveryOptions(copies=3, reorder=True),
        DeliveryOptions(copies=3, together=True),
    ],
    ids=["three times", "three times, reordered", "three times at once"],
)
async def test_repeated_events_are_one_prompt(thread: Thread, stage: Stage, options: DeliveryOptions) -> None:
    stage.slack.dispatcher.options = options
    asked = thread.mention("add a line")

    await told_once(thread)
    statuses = [attempt.status for one in deliveries(stage, asked) for attempt in one.attempts]
    assert statuses == [200] * 6


async def test_retries_after_a_lost_answer_are_harmless(
    thread: Thread, stage: Stage, clock: VirtualClock
) -> None:
    asked = thread.mention("add a line")
    stage.slack.dispatcher.options = DeliveryOptions(drop_answers=3, drop_answers_to=asked)
    await stage.slack.settled()
    clock.advance(60)
    await stage.slack.settled()

    await told_once(thread)
    attempts = [attempt for one in deliveries(stage, asked) for attempt in one.attempts]
    assert [attempt.status for attempt in attempts] == [200] * 5
    assert max(attempt.retry_num for attempt in attempts) == 2


async def test_the_answer_waits_for_no_call_to_slack_or_linear(
    thread: Thread, stage: Stage, clock: VirtualClock
) -> None:
    stage.slack.api.faults.latency_s = 3600.0  # On the stand-in's clock: no call of ours is answered.
    stage.linear.faults.down = True
    asked = thread.mention("add a line")
    await stage.slack.settled()

    assert all(one.is_delivered for one in deliveries(stage, asked))
    assert thread.texts() == []
    stage.slack.api.faults.latency_s = 0.0
    stage.linear.faults.down = False
    clock.advance(3600)
    await told_once(thread)


async def test_a_mention_while_the_service_is_down_comes_with_the_retries(
    thread: Thread, stage: Stage, clock: VirtualClock
) -> None:
    await stage.terminate()
    asked = thread.mention("add a line")
    await stage.slack.settled()
    assert not any(one.is_delivered for one in deliveries(stage, asked))

    await stage.serve()
    clock.advance(60)
    await told_once(thread)
    outcomes = [attempt.outcome for attempt in deliveries(stage, asked)[0].attempts]
    assert outcomes == ["connection_failed", "connection_failed", "ok"]


async def test_twenty_messages_in_a_second_are_not_lost(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "All of it.", "hold": "twenty"})])
    thread.mention("number 0")
    await stage.slack.settled()
    said = [f"number {n}" for n in range(1, 21)]
    for text in said:
        thread.say(text, by="U0BOB")
    await thread.until(lambda: len(thread.told("thought")) == 21, "all of it is in Linear")
    stage.model.release("twenty")

    await thread.until(lambda: thread.session()["status"] == "complete", "the work is over")
    assert set(thread.told("thought")[1:]) == {f"Bob in Slack: {text}" for text in said}
    heard = str(stage.model.bodies[-1]["messages"])
    assert [text for text in said if f"\\n{text}\\n" not in heard] == []
    assert len(thread.cards()) <= 2
