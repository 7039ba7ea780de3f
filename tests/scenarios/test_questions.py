"""Questions to people: asked in both places, answered in one, and the other says who answered."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from playground.scripts import call, run
from playground.shop import make_repository
from playground.slack_blocks import elements_of
from playground.slack_events import block_action
from playground.stage import Stage
from tests.scenarios.conftest import Golden, on_stage
from tests.scenarios.processes import agents
from tests.scenarios.scripts import plan, question, questions, script
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHICH = "Which repository is this about?"

TWO_REPOSITORIES = """\
[[repositories]]
name = "acme/shop"
url = "{url}"

[[repositories]]
name = "acme/docs"
url = "{url}"
"""

ASKS = script(
    {"tools": [question("When both toggles are on, which wins?", "Archived wins", "Hidden wins")]},
    {"text": "Settled."},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """No rule sends work anywhere."""
    config = TWO_REPOSITORIES.format(url=make_repository(tmp_path_factory.mktemp("remote") / "other.git"))
    async with on_stage(tmp_path_factory.mktemp("questions"), config=config) as stage:
        await stage.serve()
        yield stage


async def asked(thread: Thread, words: str) -> None:
    await thread.until_shown(words)


async def agent_asks(thread: Thread) -> None:
    """The agent of a running turn asks, and both sides show it."""
    thread.stage.model.play([ASKS])
    thread.mention("fix the toggles repo=acme/shop")
    await asked(thread, "which wins?")
    await thread.until(lambda: thread.session()["status"] == "awaitingInput", "Linear shows the question")


def answers_heard(stage: Stage) -> str:
    """What the tools of the newest run returned to the agent."""
    blocks = [block for one in stage.model.bodies[-1]["messages"] for block in one["content"]]
    return str([block for block in blocks if isinstance(block, dict) and block["type"] == "tool_result"])


# Which repository?


async def test_an_unknown_repository_is_asked_for_and_answered_with_a_click(
    thread: Thread, stage: Stage, golden: Golden
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("fix the search")
    await asked(thread, WHICH)
    golden("question_open", thread.slack_transcript())
    await thread.press("acme/docs")

    await thread.ended()
    await thread.all_marked_done()
    golden("question_answered", thread.transcript())


@pytest.mark.parametrize("words", ["acme/docs", "2", "ACME/Docs."])
async def test_a_repository_can_be_named_in_words(thread: Thread, stage: Stage, words: str) -> None:
    stage.model.play([script({"text": "Done.", "hold": words})])
    thread.mention("fix the search")
    await asked(thread, WHICH)
    thread.say(words, by="U0BOB")

    await thread.until_shown("acme/docs, as you chose")
    stage.model.release(words)
    await thread.ended()
    assert thread.shows("Answered by Bob in Slack: acme/docs")


async def test_an_unknown_name_is_asked_for_again(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("fix the search")
    await asked(thread, WHICH)
    thread.say("the old one", by="U0BOB")
    await asked(thread, f"I don't know “the old one”. {WHICH}")
    thread.say("acme/shop", by="U0BOB")

    await thread.ended()


async def test_a_repository_named_in_the_mention_is_not_asked_for(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("fix the search repo=acme/shop")

    await thread.ended()
    assert not thread.shows(WHICH)
    assert "repo=" not in thread.issue()["title"]


async def test_the_question_survives_a_restart_and_its_answer_is_remembered(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("fix the search")
    await asked(thread, WHICH)
    assert await stage.terminate() == 0
    await stage.serve()
    await thread.press("acme/docs")
    await thread.ended()
    thread.say("and the docs", by="U0BOB")

    await thread.ended(2)
    assert sum(WHICH in text for text in thread.texts()) == 1


# Questions of the agent


async def test_the_agents_question_is_answered_with_a_click(
    thread: Thread, stage: Stage, golden: Golden
) -> None:
    await agent_asks(thread)
    (elicitation,) = [one for one in thread.lasting() if one["type"] == "elicitation"]
    assert elicitation["signal"] == "select"
    labels = [option["label"] for option in elicitation["signalMetadata"]["options"]]
    assert labels == ["Archived wins", "Hidden wins"]
    await thread.press("Archived wins")

    await thread.ended()
    assert "Archived wins" in answers_heard(stage)
    await thread.all_marked_done()
    golden("agent_question_answered", thread.transcript())


async def test_the_agents_question_is_answered_in_words(thread: Thread, stage: Stage) -> None:
    await agent_asks(thread)
    thread.say("neither, ask Eve", by="U0BOB")

    await thread.ended()
    assert "neither, ask Eve" in answers_heard(stage)
    assert "Answered by Bob in Slack: neither, ask Eve" in thread.told("thought")
    assert thread.shows("→ Answered by Bob in Slack: neither, ask Eve")


async def test_the_agents_question_is_answered_in_linear(thread: Thread, stage: Stage) -> None:
    await agent_asks(thread)
    stage.linear.people.answer(thread.session()["id"], "Hidden wins", by="eve")

    await thread.ended()
    assert "Hidden wins" in answers_heard(stage)
    assert thread.shows("→ Answered by Eve in Linear: Hidden wins")
    assert not any("Answered by" in body for body in thread.told("thought"))


async def test_several_questions_are_asked_one_after_the_other(thread: Thread, stage: Stage) -> None:
    several = questions(("Which colour?", ("Red", "Blue")), ("Which tests?", ("Unit", "Slow", "None")))
    stage.model.play([script({"tools": [several]}, {"text": "Settled."})])
    thread.mention("paint it repo=acme/shop")
    await asked(thread, "Which colour?")
    assert not thread.shows("Which tests?")
    thread.say("blue", by="U0BOB")
    await asked(thread, "Which tests?")
    stage.linear.people.answer(thread.session()["id"], "1 and 2", by="eve")

    await thread.ended()
    assert '"Which colour?"="Blue"' in answers_heard(stage)
    assert '"Which tests?"="Unit, Slow"' in answers_heard(stage)
    assert thread.shows("→ Answered by Eve in Linear: Unit, Slow")


async def test_a_question_survives_a_kill_of_the_service(thread: Thread, stage: Stage) -> None:
    await agent_asks(thread)
    await stage.kill()
    stage.model.play([script({"text": "Settled."})])
    await stage.serve()
    await thread.press("Archived wins")

    await thread.ended()
    assert "which wins?\nThe answer of Bob: Archived wins" in told(stage)
    assert sum("which wins?" in text for text in thread.texts()) == 1
    assert len(thread.told("elicitation")) == 1
    assert "Answered by Bob in Slack: Archived wins" in thread.told("thought")


async def test_a_question_survives_its_agent(thread: Thread, stage: Stage) -> None:
    await agent_asks(thread)
    for process in agents(stage):
        os.kill(process, signal.SIGKILL)
    await thread.until(lambda: not agents(stage), "the agent is gone")
    stage.model.play([script({"text": "Settled.", "hold": "late"})])
    stage.linear.people.answer(thread.session()["id"], "Hidden wins", by="eve")
    await thread.until_held("late")
    assert "which wins?\nThe answer of Eve: Hidden wins" in told(stage)
    assert len(thread.told("elicitation")) == 1
    assert thread.shows("→ Answered by Eve in Linear: Hidden wins")
    stage.model.release("late")
    await thread.ended()


async def test_who_is_late_says_something_new_or_is_told_so(thread: Thread, stage: Stage) -> None:
    await agent_asks(thread)
    same, other = press_of(thread, "Archived wins"), press_of(thread, "Hidden wins")
    stage.linear.people.answer(thread.session()["id"], "Archived wins", by="eve")
    await thread.ended()
    stage.model.play([script({"text": "Hidden it is."})])
    await stage.slack.dispatcher.interact(same)
    await thread.until_shown("Answered already, by Eve: Archived wins")
    await stage.slack.dispatcher.interact(other)

    await thread.ended(2)
    assert "which wins?”: Hidden wins" in thread.told("thought")[-1]


def press_of(thread: Thread, label: str) -> dict[str, Any]:
    """What a client sends that still shows this button when the question is closed."""
    workspace, (question,) = (
        thread.stage.slack.workspace,
        [one for one in thread.ours() if "which wins?" in one.shown_text()],
    )
    (block, button) = next(
        (block, one)
        for block, one in elements_of(question.blocks)
        if one.get("text", {}).get("text") == label
    )
    action = {name: button[name] for name in ("type", "action_id", "value")}
    action |= {"block_id": block["block_id"], "action_ts": f"1.{label}"}
    return block_action(
        workspace, workspace.people["U0BOB"], question, action, trigger_id="1", response_url="http://no.test"
    )


# Plans and permissions

PLAN = "1. Rename the toggle\n2. Test it"
CHANGE = call("Write", file_path="notes.md", content="# Notes\n")


async def test_nothing_is_changed_before_people_agree_to_the_plan(thread: Thread, stage: Stage) -> None:
    steps = (
        {"tools": [CHANGE, run("touch made")]},  # Refused: it only plans.
        *plan(PLAN),
        *plan(f"{PLAN}\n3. Document it"),
        {"tools": [CHANGE, run("ls")]},
        {"text": "Written as planned."},
    )
    stage.model.play([script(*steps)])
    thread.mention("plan first: rename the toggle repo=acme/shop")
    await thread.until(lambda: thread.issues(), "the issue is there")
    assert thread.issue()["title"] == "Rename the toggle"
    await asked(thread, "2. Test it")
    assert not changed(stage)
    thread.say("document it, too", by="U0BOB")
    await asked(thread, "Document it")
    assert "Change the plan: document it, too" in answers_heard(stage)
    await stage.kill()
    stage.model.play([script(*steps[-2:])])
    await stage.serve()
    assert not changed(stage)
    (elicitation, *_) = [one for one in thread.lasting() if one["type"] == "elicitation"]
    assert [one["label"] for one in elicitation["signalMetadata"]["options"]] == ["Go ahead", "Change it"]
    await thread.press("Go ahead")

    await thread.ended()
    assert "The answer of Bob: Go ahead" in told(stage)
    assert "1 file +1" in thread.texts()[-1]
    assert thread.told("thought").count("Answered by Bob in Slack: Go ahead") == 1


async def test_an_agreed_plan_is_carried_out_in_the_same_turn(thread: Thread, stage: Stage) -> None:
    stage.model.play([script(*plan(PLAN), {"tools": [CHANGE, run("ls")]}, {"text": "Written as planned."})])
    thread.mention("rename the toggle, plan first repo=acme/shop")
    await asked(thread, "2. Test it")
    await thread.until(lambda: thread.session()["status"] == "awaitingInput", "Linear shows the plan")
    stage.linear.people.answer(thread.session()["id"], "Go ahead", by="eve")

    await thread.ended()
    assert "1 file +1" in thread.texts()[-1]
    assert [one["action"] for one in thread.lasting() if one["type"] == "action"] == ["Wrote", "Ran"]


@pytest.mark.parametrize(("label", "is_there"), [("Allow once", True), ("Don't allow", False)])
async def test_what_is_not_allowed_by_rule_is_asked_for(
    thread: Thread, stage: Stage, tmp_path: Path, label: str, is_there: bool
) -> None:
    outside = tmp_path / "outside.md"
    write = ["Write", {"file_path": str(outside), "content": "# Notes\n"}]
    stage.model.play([script({"tools": [write]}, {"text": "As you wish."})])
    thread.mention("write it elsewhere repo=acme/shop")
    await asked(thread, f"Allow Write {outside}?")
    await thread.press(label)

    await thread.ended()
    assert outside.exists() is is_there


def told(stage: Stage) -> str:
    """The newest prompt that the agent was given."""
    words = [block for one in stage.model.bodies[-1]["messages"] for block in _blocks(one["content"])]
    return next(text for text in reversed(words) if "The answer of" in text)


def _blocks(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return (
        [block["text"] for block in content if block["type"] == "text"] if isinstance(content, list) else []
    )


def changed(stage: Stage) -> bool:
    """Whether an agent wrote one of the files of these scenarios."""
    clones = stage.folder.glob("var/sessions/*/workspace")
    return any((clone / name).exists() for clone in clones for name in ("notes.md", "made"))
