"""Words for us, in a thread and in Linear: they are answered there, and the agent never hears them."""

import json

import pytest

from playground.scripts import run
from playground.stage import Stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import DONE, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELD = {"tools": [run("true")]}


def hold(stage: Stage, name: str) -> None:
    stage.model.play([script({**HELD, "hold": name}, {"text": "Fixed."})])


async def test_status_why_and_help_are_answered_in_the_thread_alone(thread: Thread, stage: Stage) -> None:
    hold(stage, "words")
    thread.mention("fix the search")
    await thread.until_held("words")
    asked = thread.say("status", by="U0BOB")
    await thread.until_shown("ENG-")
    await thread.until_marked(asked, DONE)
    thread.say("why", by="U0BOB")
    await thread.until_shown("Routed to acme/shop: ")
    thread.say("what can you do?", by="U0BOB")
    await thread.until_shown("`stop` end the turn")
    stage.model.release("words")
    await thread.ended()

    assert len(thread.told("response")) == 1
    assert not any("Routed to" in body for body in thread.told("thought"))
    assert "what can you do" not in json.dumps(stage.model.bodies[-1])


async def test_aside_is_heard_by_nobody_but_people(thread: Thread, stage: Stage) -> None:
    hold(stage, "aside")
    thread.mention("fix the search")
    await thread.until_held("aside")
    aside = thread.say("aside: Ann, is this yours?", by="U0BOB")
    thread.say("keep it small", by="U0BOB")
    await thread.until(lambda: "keep it small" in str(thread.told("thought")), "what came after it is told")
    await thread.until(lambda: not thread.reactions(aside), "it has no mark, or none any more")
    stage.model.release("aside")
    await thread.ended()
    assert not any("is this yours" in body for body in thread.told("thought"))


async def test_status_asked_in_linear_is_answered_in_linear(thread: Thread, stage: Stage) -> None:
    hold(stage, "there")
    thread.mention("fix the search")
    await thread.until_held("there")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    stage.linear.people.prompt(thread.session()["id"], "status", by="eve")
    await thread.until(lambda: any(" s." in body for body in thread.told("thought")), "the answer in Linear")
    stage.model.release("there")
    await thread.ended()
    assert not thread.shows("Eve in Linear: status")
    assert len(thread.told("response")) == 1


async def test_another_thread_can_follow_and_join_in(thread: Thread, stage: Stage) -> None:
    told = {"text": "Fixed, with tests."}
    stage.model.play(
        [script({**HELD, "hold": "follow"}, {"text": "Fixed.", "if_told": {"with tests": (told,)}})]
    )
    thread.mention("fix the search")
    await thread.until_held("follow")
    await thread.until(lambda: thread.cards(), "there is an issue")
    identifier = thread.issue()["identifier"]

    other = Thread(stage, new_channel(stage))
    other.mention(f"follow {identifier}", by="U0EVE")
    await other.until_shown(f"This thread follows {identifier} now")
    await other.until(lambda: other.cards(), "the progress is shown there too")
    joined = other.say("with tests, please", by="U0EVE")
    await other.until(lambda: other.reactions(joined), "it was taken")
    await thread.until(lambda: any("with tests" in one for one in thread.told("thought")), "Linear has it")
    stage.model.release("follow")

    await thread.ended()
    await other.until_shown("Fixed, with tests.")
    assert thread.shows("Fixed, with tests.")
    assert len(thread.told("response")) == 1


async def test_new_starts_another_session_in_the_same_thread(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Faster now."}, match="export"), script({"text": "Fixed."})])
    thread.mention("fix the search")
    await thread.ended()
    before = len(stage.issues())
    thread.mention("new: make the export faster")
    await thread.until_shown("Faster now.")
    await thread.until(lambda: len([one for one in thread.cards() if " · done in " in one]) == 2, "it ended")

    assert len(stage.issues()) == before + 1
    for issue in stage.issues()[-2:]:
        assert thread.shows(f"{issue['identifier']} · done in ")
