"""Questions and plans: asked in all places, answered in one."""

import asyncio
import re

import pytest

from playground.scripts import call, todo
from playground.stage import Stage
from tests.conformance.support import scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.scripts import plan, question, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHICH = "When both toggles are on, which wins?"
ASKS = script({"tools": [question(WHICH, "Archived wins", "Hidden wins")]}, {"text": "Settled."})


async def asked(talk: Talk) -> None:
    """The agent asks, and both sides show it."""
    talk.stage.model.play([ASKS])
    talk.mention("fix the toggles")
    await talk.until_shown(WHICH)
    await talk.until(lambda: talk.session()["status"] == "awaitingInput", "Linear shows the question")


def heard(stage: Stage) -> str:
    """What the tools of the newest run returned to the agent."""
    blocks = [block for one in stage.model.bodies[-1]["messages"] for block in one["content"]]
    return str([block for block in blocks if isinstance(block, dict) and block["type"] == "tool_result"])


@scenario("Questions", "whom it asks is notified; answered with a button")
async def test_an_answer_by_a_button(talk: Talk, stage: Stage) -> None:
    await asked(talk)
    open_question = next(text for text in talk.texts() if WHICH in text)
    await talk.press("Archived wins")

    await talk.ended()
    assert open_question.startswith(f"Question for @Ann:\n{WHICH}\n")
    assert "[Archived wins] [Hidden wins]" in open_question
    assert "or answer in this thread" in open_question
    assert "Archived wins" in heard(stage)
    closed = f"→ Answered by Bob in {talk.platform}: Archived wins"
    assert talk.answers()[0] == f"Question for Ann: {WHICH}\n{closed}"
    assert f"Answered by Bob in {talk.platform}: Archived wins" in talk.told("thought")


@scenario("Questions", "answered in words")
async def test_an_answer_in_words(talk: Talk, stage: Stage) -> None:
    await asked(talk)
    talk.say("neither, ask Eve", by="bob")

    await talk.ended()
    assert "neither, ask Eve" in heard(stage)
    assert talk.shows(f"→ Answered by Bob in {talk.platform}: neither, ask Eve")


@scenario("Questions", "answered in Linear, closed in the thread")
async def test_an_answer_in_linear(talk: Talk, stage: Stage) -> None:
    await asked(talk)
    stage.linear.people.answer(talk.session()["id"], "Hidden wins", by="eve")

    await talk.ended()
    assert "Hidden wins" in heard(stage)
    assert talk.shows("→ Answered by Eve in Linear: Hidden wins")


@scenario("Questions", "answered in both places at once: the first one counts, nobody's words are lost")
async def test_two_answers_at_once(talk: Talk, stage: Stage) -> None:
    await asked(talk)
    session = talk.session()["id"]

    async def in_linear() -> None:
        stage.linear.people.answer(session, "Archived wins", by="eve")
        await stage.linear.settled()

    # Who is late says something new, which the model has no question about.
    stage.model.play([script({"text": "As you said."}, match="Archived wins"), ASKS])
    await asyncio.gather(talk.press("Archived wins"), in_linear())
    here, there = f"Bob in {talk.platform}", "Eve in Linear"
    late = {here: f"{there}: Archived wins", there: "Answered already, by Eve: Archived wins"}
    await talk.until(
        lambda: _closed(talk) and talk.shows(late[_closed(talk)[0]]), "both answers are dealt with"
    )
    await talk.until(lambda: talk.session()["status"] == "complete", "the session is over")

    (winner,) = _closed(talk)
    assert talk.told("thought").count(f"Answered by {here}: Archived wins") == (winner == here)
    assert heard(stage).count('"Archived wins"') == 1
    assert sum(WHICH in text for text in talk.texts()) == len(talk.told("elicitation")) == 1


def _closed(talk: Talk) -> list[str]:
    """Who answered, by the closing lines of the questions."""
    return re.findall(r"^→ Answered by (.*): Archived wins$", "\n".join(talk.texts()), re.MULTILINE)


@scenario("Plans", "steps ticked off in the progress message")
async def test_a_plan(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"plan in {platform}"
    stage.model.play([script({"tools": [todo(1)]}, held(name), {"tools": [todo(3)]}, {"text": "Done."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    steps = "✓ Reproduce with a failing test\n◐ Respect include_archived in search\n○ Run the search tests"
    await talk.until_shown(steps)
    stage.model.release(name)

    await talk.ended()
    assert [step["status"] for step in talk.session()["plan"]] == ["completed"] * 3


@scenario("Plans", "`plan first`: nothing changes before somebody agrees")
async def test_plan_first(talk: Talk, stage: Stage) -> None:
    change = call("Write", file_path="notes.md", content="# Notes\n")
    stage.model.play(
        [
            script(
                *plan("1. Rename the toggle\n2. Test it"),
                {"tools": [change]},
                {"text": "Written as planned."},
            )
        ]
    )
    talk.mention("plan first: rename the toggle")
    await talk.until_shown("2. Test it")
    await talk.until(lambda: talk.session()["status"] == "awaitingInput", "Linear shows the plan")
    assert not any(one["type"] == "action" for one in talk.lasting())
    await talk.press("Go ahead")

    await talk.ended()
    assert talk.texts()[-1].startswith("@Ann\nWritten as planned.")
    assert "1 file +1" in talk.texts()[-1]
    assert talk.told("thought").count(f"Answered by Bob in {talk.platform}: Go ahead") == 1
