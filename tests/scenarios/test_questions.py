"""Questions to people: asked in both places, answered in one, and the other says who answered."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.shop import make_repository
from playground.stage import Stage
from tests.scenarios.conftest import Golden, on_stage
from tests.scenarios.scripts import question, script
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
