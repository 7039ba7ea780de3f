"""Stops in odd moments: twice, where nothing runs, before something else, against resistance."""

import pytest

from playground.scripts import run
from playground.stage import Stage
from tests.scenarios.scripts import script
from tests.scenarios.test_stop import WRITES_THEN_HANGS, at_work, gone
from tests.scenarios.thread import DONE, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_second_stop_changes_nothing(thread: Thread) -> None:
    await at_work(thread)
    first = thread.say("stop", by="U0BOB")
    second = thread.say("stop!", by="U0EVE")
    await thread.ended()
    await thread.until_marked(first, DONE)
    await thread.until_marked(second, DONE)

    assert len(thread.told("response")) == 1
    assert len(thread.cards()) == 1


async def test_a_stop_where_nothing_runs_is_answered_and_begins_nothing(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("do it")
    await thread.ended()
    history = len(thread.session()["history"])
    asked = thread.say("stop", by="U0BOB")

    await thread.until_marked(asked, DONE)
    await thread.until_shown("Nothing is running")
    assert len(thread.cards()) == 1
    assert len(thread.session()["history"]) == history


async def test_what_is_said_right_after_a_stop_is_worked_on_in_a_new_turn(
    thread: Thread, stage: Stage
) -> None:
    await at_work(thread)
    stage.model.play([script({"text": "Documented."}, match="document"), WRITES_THEN_HANGS])
    thread.say("stop", by="U0BOB")
    await stage.slack.settled()
    thread.say("document it instead", by="U0BOB")

    await thread.ended(2)
    stopped, answered = thread.told("response")
    assert stopped.startswith("Stopped by Bob.")
    assert answered.startswith("Documented.")
    thread.same_story()


async def test_a_stop_of_a_command_that_ignores_signals_leaves_nothing_behind(
    thread: Thread, stage: Stage
) -> None:
    stubborn = "trap '' INT TERM HUP; (setsid sh -c 'trap \"\" INT TERM; sleep 600' &); sleep 601"
    stage.model.play([script({"tools": [run(stubborn)]})])
    thread.mention("start the server")
    await thread.until_shown("sleep 601")
    await thread.press("Stop")

    await gone(thread)
    await thread.ended()
    assert thread.told("response") == ["Stopped by Bob. Nothing was changed."]
