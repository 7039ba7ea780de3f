"""What people see of a session, word for word, in Slack and in Linear."""

import pytest

from playground.slack_state import BOT_USER
from playground.stage import Stage
from tests.scenarios.conftest import Golden
from tests.scenarios.scripts import CHANGELOG, FIXED, SEARCH, script
from tests.scenarios.thread import DELIVERED, DONE, QUEUED, SEEN, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = "search ignores archived projects even with the toggle on, fix it"


async def test_a_mention_in_a_thread_with_context(stage: Stage, golden: Golden) -> None:
    stage.model.play([script(*CHANGELOG, match="changelog"), script(*SEARCH, match="archived")])
    thread = Thread(stage, "C0001")
    thread.say("Search is broken for archived projects since Tuesday", by="U0BOB")
    asked = thread.mention(ASK)

    await thread.until_held("fix")
    await thread.until_shown("Ran `python3")
    await thread.until(lambda: "action: Ran" in thread.transcript(), "Linear is as far as the thread")
    golden("thread_at_work", thread.transcript())

    told = thread.say("don't touch ranking", by="U0BOB")
    await thread.until(lambda: DELIVERED in thread.reactions(told), "the agent has it")
    stage.model.release("fix")
    await thread.ended()
    thread.say("now add a line to the changelog")
    await thread.ended(2)
    await thread.until(lambda: _all_done(thread), "every message is marked")
    golden("thread_done", thread.transcript())
    assert thread.reaction_history(asked) == [SEEN, DELIVERED, DONE]
    assert thread.reaction_history(told) == [SEEN, DELIVERED, DONE]
    thread.same_story()


async def test_a_mention_that_begins_a_thread(thread: Thread, stage: Stage, golden: Golden) -> None:
    stage.model.play([script(*CHANGELOG)])
    asked = thread.mention("please add a line to the changelog")

    await thread.ended()
    await thread.until_marked(asked, DONE)
    golden("channel_done", thread.transcript())
    thread.same_story()


async def test_a_direct_message_needs_no_mention(stage: Stage, golden: Golden) -> None:
    stage.model.play([script(*CHANGELOG)])
    thread = Thread(stage, "D0BOB")
    asked = thread.say("add a line to the changelog", by="U0BOB")

    await thread.ended()
    await thread.until_marked(asked, DONE)
    golden("direct_message_done", thread.transcript())
    thread.same_story()


async def test_a_session_adds_one_progress_message_and_one_answer_however_much_happens(
    thread: Thread, stage: Stage
) -> None:
    stage.model.release("fix")
    stage.model.play([script(*SEARCH)])
    asked = thread.mention(ASK)

    await thread.ended()
    await thread.until_marked(asked, DONE)
    card, answer = thread.texts()
    assert card.startswith("ENG-")
    assert answer.startswith(f"<@U0ANN>\n{FIXED}")
    assert QUEUED not in thread.reaction_history(asked)


def _all_done(thread: Thread) -> bool:
    people = [one for one in thread.chat()[1:] if one["author"] != "linear"]
    return all(set(one["reactions"]) == {DONE} for one in people)


async def test_a_message_of_somebody_else_is_worked_on_from_its_menu(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    root = thread.say("Search is broken for archived projects", by="U0BOB")
    for _ in range(2):  # Pressed twice, it is one request.
        receipt = await stage.slack.people.use_shortcut("U0ANN", thread.channel, root, "start_session")
        assert receipt.status == 200

    await thread.ended()
    assert thread.issue()["title"] == "Search is broken for archived projects"
    assert thread.told("thought") == ["Ann in Slack: Search is broken for archived projects"]
    assert len(thread.issues()) == 1


async def test_a_file_that_cannot_be_read_is_named_to_people_and_to_the_agent(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    root = stage.slack.people.say(
        "U0ANN", thread.channel, f"<@{BOT_USER}> fix what the log says", files={"error.log": "boom"}
    )
    thread.root = root

    await thread.until_shown("I can't see error.log here: the app lacks files:read. Paste it.")
    await thread.until(lambda: " · done in " in str(thread.cards()), "the turn is over")
    assert "I could not see error.log: the app lacks files:read." in str(stage.model.bodies[-1])
    assert "boom" not in str(stage.model.bodies[-1])
