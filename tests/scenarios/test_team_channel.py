"""Sessions that begin in Linear, shown in a channel of their team."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.activities import Blocker
from playground.linear_faults import Fault as LinearFault
from playground.scripts import Reply, run
from playground.slack_faults import Fault as SlackFault
from playground.slack_state import ChannelKind, Message
from playground.stage import Stage
from playground.story import differences
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import question, script
from tests.scenarios.test_blockers import codes
from tests.scenarios.thread import EVERYBODY, WITHIN_S, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNEL = "C0900"
TEAM = f"""
[[teams]]
key = "ENG"
channel = "slack:T0001/{CHANNEL}"
"""
DONE = script({"text": "Done as asked."})


def held(name: str) -> Reply:
    """A step that waits until it is released; each name counts once."""
    return {"tools": [run("true")], "hold": name}


async def team_stage(folder: Path) -> AsyncIterator[Stage]:
    async with on_stage(folder) as stage:
        stage.slack.people.create_channel(CHANNEL, "team-eng", ChannelKind.PUBLIC, EVERYBODY)
        config = stage.folder / "threadline.toml"
        config.write_text(config.read_text() + TEAM)
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async for stage in team_stage(tmp_path_factory.mktemp("team")):
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(stage: Stage) -> AsyncIterator[None]:
    """Afterwards the stand-ins behave again."""
    yield
    stage.slack.api.faults.clear()
    stage.linear.faults.clear()
    stage.slack.people.archive(CHANNEL, is_archived=False)


def delegated(stage: Stage, title: str = "Search is slow", by: str | None = "eve") -> str:
    """A new issue that is delegated to us; its identifier."""
    issue = stage.linear.people.create_issue(title, by="eve")
    stage.linear.people.delegate(issue.identifier, by=by)
    return issue.identifier


def roots(stage: Stage, identifier: str) -> list[Message]:
    """What we wrote in the channel itself about an issue."""
    shown = stage.slack.workspace.channels[CHANNEL].shown()
    return [one for one in shown if not one.is_reply and f"[{identifier}]" in one.shown_text()]


async def opened(stage: Stage, identifier: str) -> Thread:
    """The thread of an issue, once it is there."""
    await stage.until(lambda: roots(stage, identifier), WITHIN_S, f"{identifier} has a thread")
    return joined(stage, identifier)


def joined(stage: Stage, identifier: str) -> Thread:
    (root,) = roots(stage, identifier)
    thread = Thread(stage, CHANNEL)
    thread.join(root.ts)
    return thread


async def linked(thread: Thread) -> list[dict[str, str]]:
    """The links of the session, once Linear has that to the thread."""
    links = await thread.until(lambda: thread.session().get("externalLinks"), "Linear links the thread")
    assert isinstance(links, list)
    return links


def same_story(thread: Thread) -> None:
    """Both sides tell the same, beside the first message and quotes of what was written in Linear."""
    theirs = [one for one in thread.chat()[1:] if " in Linear:** " not in one["text"]]
    assert differences(theirs, thread.session()) == []


def history(stage: Stage, identifier: str) -> list[dict[str, Any]]:
    (issue,) = [one for one in stage.issues() if one["identifier"] == identifier]
    return [each for session in issue["sessions"] for each in session["history"]]


def last_words(stage: Stage, identifier: str) -> list[str]:
    return [one["body"] for one in history(stage, identifier) if one["type"] in ("response", "error")]


async def test_a_delegated_issue_gets_a_thread_that_tells_the_whole_story(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    (link,) = await linked(thread)

    await thread.ended()
    root, *story = thread.texts()
    assert root.endswith(" · Search is slow · started in Linear by Eve")
    assert f"/issue/{identifier}" in root
    assert any(one.startswith("**Eve in Linear:** Search is slow") for one in story)
    assert (link["label"], thread.root.replace(".", "") in link["url"]) == ("Slack thread", True)
    same_story(thread)


async def test_a_mention_in_linear_gets_one_too_and_an_automation_is_not_named(stage: Stage) -> None:
    stage.model.play([DONE])
    issue = stage.linear.people.create_issue("Export is slow", by="eve")
    stage.linear.people.mention(issue.identifier, "why is that?", by="bob")
    mentioned = await opened(stage, issue.identifier)
    automated = await opened(stage, delegated(stage, "Import is slow", by=None))

    await mentioned.ended()
    await automated.ended()
    assert mentioned.texts()[0].endswith("started in Linear by Bob")
    assert mentioned.shows("**Bob in Linear:** why is that?")
    assert automated.texts()[0].endswith("Import is slow · started in Linear")


async def test_prompts_from_linear_are_quoted_and_replies_steer_without_a_mention(stage: Stage) -> None:
    told = {"text": "Done, with tests and docs."}
    stage.model.play(
        [script(held("steered"), {"text": "Done.", "if_told": {"with tests[\\s\\S]*with docs": (told,)}})]
    )
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    await thread.until_held("steered")
    await linked(thread)
    stage.linear.people.prompt(thread.session()["id"], "with tests please", by="eve")
    await thread.until_shown("**Eve in Linear:** with tests please")
    thread.say("and with docs", by="U0BOB")
    await thread.until(lambda: "Bob in Slack: and with docs" in thread.told("thought"), "Linear shows it")
    stage.model.release("steered")

    await thread.ended()
    assert thread.told("response")[0].startswith("Done, with tests and docs.")
    same_story(thread)


async def test_a_question_is_answered_by_a_button_and_stop_stops(stage: Stage) -> None:
    asks = script(
        {"tools": [question("Which one wins?", "Archived", "Hidden")]}, held("stopped"), {"text": "Done."}
    )
    stage.model.play([asks])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    await thread.until_shown("Which one wins?")
    await thread.press("Archived")
    await thread.until(lambda: "Answered by Bob in Slack: Archived" in thread.told("thought"), "the answer")
    await thread.until_held("stopped")
    await thread.press("Stop")

    await thread.ended()
    assert thread.told("response")[0].startswith("Stopped by Bob.")


async def test_a_reply_after_the_answer_begins_a_turn_in_the_same_thread(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    await thread.ended()
    thread.say("now document it")

    await thread.ended(2)
    assert len(roots(stage, identifier)) == 1
    same_story(thread)


async def test_a_session_that_began_in_chat_gets_no_second_thread(stage: Stage) -> None:
    stage.model.play([DONE])
    thread = Thread(stage, new_channel(stage))
    thread.mention("search is slow")
    await thread.ended()
    stage.linear.people.prompt(thread.session()["id"], "again please", by="eve")

    await thread.ended(2)
    assert not roots(stage, thread.issue()["identifier"])


async def test_the_same_session_can_be_followed_in_another_thread(stage: Stage) -> None:
    stage.model.play([script(held("followed"), {"text": "Done as asked."})])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    await thread.until_held("followed")
    other = Thread(stage, new_channel(stage))
    other.mention(f"follow {identifier}")
    await other.until_shown(f"This thread follows {identifier} now")
    stage.model.release("followed")

    await thread.ended()
    await other.until_shown("Done as asked.")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_root_whose_answer_was_lost_is_there_once(stage: Stage, when: Any) -> None:
    stage.model.play([DONE])
    stage.slack.api.faults.fail_next("chat.postMessage", SlackFault(drop=when))
    identifier = delegated(stage)

    thread = await opened(stage, identifier)
    await thread.ended()
    assert len(roots(stage, identifier)) == 1


@pytest.mark.parametrize("call", ["chat.postMessage", "chat.getPermalink", "UpdateSession"])
async def test_a_kill_while_it_is_opened_leaves_one_whole_thread(stage: Stage, call: str) -> None:
    stage.model.play([DONE])
    faults = stage.linear.faults if call == "UpdateSession" else stage.slack.api.faults

    def is_root(fields: Any) -> bool:
        return "thread_ts" not in fields

    killed = asyncio.Event()

    async def kill() -> None:
        await stage.kill()
        killed.set()

    faults.at(call, "executed", kill, when=is_root)
    identifier = delegated(stage)
    await stage.until(killed.is_set, WITHIN_S, "the service is killed")
    await stage.serve()

    thread = await opened(stage, identifier)
    await thread.ended()
    assert len(await linked(thread)) == 1
    same_story(thread)


async def test_a_channel_that_is_gone_is_named_in_linear_and_the_next_turn_tries_again(stage: Stage) -> None:
    stage.model.play([script(held("archived"), {"text": "Done as asked."})])
    stage.slack.people.archive(CHANNEL)
    identifier = delegated(stage)
    sentence = f"I cannot open a thread in slack:T0001/{CHANNEL}"
    await stage.until(lambda: sentence in str(history(stage, identifier)), WITHIN_S, "Linear names it")
    stage.model.release("archived")
    await stage.until(lambda: last_words(stage, identifier), WITHIN_S, "the session went on")
    assert last_words(stage, identifier)[0].startswith("Done as asked.")
    assert Blocker.CHAT_GONE in codes(stage)
    assert not roots(stage, identifier)

    stage.slack.people.archive(CHANNEL, is_archived=False)
    stage.model.play([DONE])
    (session,) = [
        each for one in stage.issues() if one["identifier"] == identifier for each in one["sessions"]
    ]
    stage.linear.people.prompt(session["id"], "and once more", by="eve")
    thread = await opened(stage, identifier)
    await thread.until_shown("Done as asked.")
    assert thread.shows("**Eve in Linear:** and once more")


async def test_a_link_that_linear_refuses_stops_nothing(stage: Stage) -> None:
    stage.model.play([DONE])
    stage.linear.faults.add(LinearFault("UpdateSession", "answer", code="INPUT_ERROR", message="no links"))
    identifier = delegated(stage)

    thread = await opened(stage, identifier)
    await thread.until(lambda: last_words(stage, identifier), "the work is over")
    await thread.until_shown("Done as asked.")
