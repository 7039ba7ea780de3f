"""What people do in Linear, and what comes back to us of what we did there."""

from typing import Any, Literal

import pytest

from playground.linear_endpoint import Echo
from playground.scripts import run
from playground.stage import Stage
from tests.scenarios.processes import agents
from tests.scenarios.scripts import CHANGELOG, script
from tests.scenarios.thread import WITHIN_S, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELD = {"tools": [run("true")]}


def session_of(stage: Stage, identifier: str) -> dict[str, Any]:
    (issue,) = [one for one in stage.issues() if one["identifier"] == identifier]
    (session,) = issue["sessions"]
    assert isinstance(session, dict)
    return session


async def test_a_prompt_in_linear_is_quoted_in_the_thread_and_steers_the_run(
    thread: Thread, stage: Stage
) -> None:
    told = {"text": "Done, with tests."}
    stage.model.play(
        [script({**HELD, "hold": "prompt"}, {"text": "Done.", "if_told": {"with tests": (told,)}})]
    )
    thread.mention("fix the search")
    await thread.until_held("prompt")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    stage.linear.people.prompt(thread.session()["id"], "with tests please", by="eve")
    await thread.until_shown("**Eve in Linear:** with tests please")
    stage.model.release("prompt")

    await thread.ended()
    (response,) = thread.told("response")
    assert response.startswith("Done, with tests.")
    assert len(thread.cards()) == 1
    assert not any("Eve" in body for body in thread.told("thought"))


async def test_a_prompt_in_linear_after_the_answer_begins_a_turn_that_both_sides_show(
    thread: Thread, stage: Stage
) -> None:
    second = script({"text": "Documented."}, match="document")
    stage.model.play([second, script({"text": "Fixed."})])
    thread.mention("fix the search")
    await thread.ended()
    stage.linear.people.prompt(thread.session()["id"], "now document it", by="eve")

    await thread.ended(2)
    assert [one.split("\n")[1] for one in thread.answers() if one.startswith("<@")] == ["Fixed."]
    assert thread.shows("**Eve in Linear:** now document it")
    assert thread.shows("Documented.")


async def test_work_delegated_in_linear_is_done_there_alone(stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    posts_before = stage.slack.api.calls["chat.postMessage"]
    issue = stage.linear.people.create_issue("Add a line to the changelog", by="eve")
    stage.linear.people.delegate(issue.identifier, by="eve")

    def is_complete() -> bool:
        return bool(session_of(stage, issue.identifier)["status"] == "complete")

    await stage.until(is_complete, WITHIN_S, "the delegated work is done")
    history = session_of(stage, issue.identifier)["history"]
    assert history[0]["ephemeral"]
    assert history[0]["body"].startswith("On it")
    lasting = [one for one in history if not one["ephemeral"]]
    assert [one["type"] for one in lasting] == ["action", "response"]
    assert lasting[-1]["body"].startswith("The changelog has a line more.")
    assert stage.slack.api.calls["chat.postMessage"] == posts_before


@pytest.mark.parametrize(("order", "copies"), [("before", 1), ("after", 1), ("before", 3), ("after", 3)])
async def test_the_echo_of_our_own_session_is_no_second_one(
    thread: Thread, stage: Stage, order: Literal["before", "after"], copies: int
) -> None:
    stage.model.play([script({"text": "Done."})])
    stage.linear.endpoint.echo = Echo(order, copies)
    runs_before = _runs(stage)
    thread.mention("fix the search")

    await thread.ended()
    await stage.linear.settled()
    echoes = [one for one in stage.linear.courier.deliveries if thread.session()["id"] in one.body.decode()]
    assert len([attempt for one in echoes for attempt in one.attempts]) == copies
    assert all(one.is_delivered for one in echoes)
    assert _runs(stage) == runs_before + 1
    assert len(thread.told("thought")) == 1
    assert not agents(stage)


def _runs(stage: Stage) -> int:
    return len({entry["session"] for entry in stage.model.log})
