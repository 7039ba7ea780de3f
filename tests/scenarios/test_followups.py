"""What people say after the mention: steered into the run, kept for the next turn, or not for us."""

import sqlite3
from collections import Counter

import pytest

from playground.stage import Stage
from tests.scenarios.scripts import SEARCH, script
from tests.scenarios.thread import DELIVERED, DONE, SEEN, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_follow_up_without_a_mention_is_steered_into_the_run(thread: Thread, stage: Stage) -> None:
    told = {"text": "Done, and ranking is untouched."}
    held = {"tools": [["Bash", {"command": "true"}]], "hold": "steer"}
    stage.model.play([script(held, {"text": "Done.", "if_told": {"ranking": (told,)}})])
    thread.mention("fix the search")
    await thread.until_held("steer")
    follow_up = thread.say("don't touch ranking", by="U0BOB")
    await thread.until(lambda: DELIVERED in thread.reactions(follow_up), "the agent has it")
    stage.model.release("steer")

    await thread.ended()
    await thread.until_marked(follow_up, DONE)
    assert thread.reaction_history(follow_up) == [SEEN, DELIVERED, DONE]
    (response,) = thread.told("response")
    assert response.startswith("Done, and ranking is untouched.")
    assert len(thread.cards()) == 1
    thread.same_story()


async def test_a_follow_up_after_the_answer_begins_a_turn_with_a_progress_message_of_its_own(
    thread: Thread, stage: Stage
) -> None:
    # Later prompts quote the issue, and so what was asked first.
    second = script({"text": "Second."}, match="document")
    stage.model.play([second, script({"text": "First."}, match="rename")])
    thread.mention("rename it")
    await thread.ended()
    first_card = thread.ours()[0].ts
    edits = len(thread.ours()[0].revisions)
    thread.say("document it", by="U0BOB")

    await thread.ended(2)
    authors = [one["author"] for one in thread.chat()]
    assert authors == ["Ann", "linear", "linear", "Bob", "linear", "linear"]
    assert thread.ours()[0].ts == first_card
    assert len(thread.ours()[0].revisions) == edits
    assert [text.split("\n")[1] for text in thread.answers()] == ["First.", "Second."]
    assert thread.answers()[1].startswith("<@U0BOB>")
    thread.same_story()


async def test_the_first_call_to_linear_for_a_follow_up_is_its_first_activity(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("rename it")
    await thread.ended()
    before, between = Counter(stage.linear.endpoint.calls), list[Counter[str]]()

    async def first_activity() -> None:
        between.append(stage.linear.endpoint.calls - before)

    stage.linear.faults.at("CreateActivity", "before", first_activity)
    thread.say("and once more")
    await thread.ended(2)
    assert between == [Counter()]


async def test_an_edit_of_what_the_agent_has_reaches_it_as_a_correction(thread: Thread, stage: Stage) -> None:
    held = {"tools": [["Bash", {"command": "true"}]], "hold": "edit"}
    told = {"text": "Renamed to basket."}
    stage.model.play([script(held, {"text": "Renamed to cart.", "if_told": {"basket": (told,)}})])
    asked = thread.mention("rename it to cart")
    await thread.until_held("edit")
    stage.slack.people.edit("U0ANN", thread.channel, asked, "<@U0BOT> rename it to basket")
    await thread.until(lambda: len(thread.told("thought")) == 2, "Linear shows the correction")
    stage.model.release("edit")

    await thread.ended()
    corrected = "Ann in Slack: Correction of my earlier message, it now reads: rename it to basket"
    assert thread.told("thought")[1] == corrected
    assert thread.told("response")[0].startswith("Renamed to basket.")


async def test_a_link_preview_is_no_edit(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Looked at it.", "hold": "preview"})])
    asked = thread.mention("look at https://example.com")
    await thread.until_held("preview")
    stage.slack.people.unfurl(thread.channel, asked)
    await stage.slack.settled()
    stage.model.release("preview")

    await thread.ended()
    assert len(thread.told("thought")) == 1


async def test_what_people_say_elsewhere_is_ignored(thread: Thread, stage: Stage) -> None:
    inbox_before = stored(stage)
    began = thread.say("lunch?")
    reply = thread.say("yes", by="U0BOB")
    await stage.slack.settled()

    assert stored(stage) == inbox_before
    assert not thread.reactions(began) | thread.reactions(reply)
    assert thread.texts() == []


async def test_another_bot_cannot_make_us_work(thread: Thread, stage: Stage) -> None:
    inbox_before = stored(stage)
    thread.mention("the build is red", by="U0ALERT")
    await stage.slack.settled()

    assert stored(stage) == inbox_before


async def test_the_first_sign_comes_while_the_work_is_prepared(thread: Thread, stage: Stage) -> None:
    stage.model.play([script(*SEARCH)])
    stage.model.release("fix")
    stage.linear.faults.latency_s = 0.2
    asked = thread.mention("search ignores archived projects")
    await thread.until(lambda: SEEN in thread.reactions(asked), "the reaction is there")
    await thread.until(lambda: len(thread.texts()) == 1, "the progress message is there")
    assert thread.texts()[0].startswith("Starting")

    stage.linear.faults.latency_s = 0.0
    await thread.ended()


def stored(stage: Stage) -> int:
    """How many events the service keeps."""
    with sqlite3.connect(f"file:{stage.folder}/var/threadline.db?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM inbox").fetchone()[0])
