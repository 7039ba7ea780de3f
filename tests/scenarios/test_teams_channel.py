"""Sessions that begin in Linear, shown in a channel of their team in Teams; and channels that cannot be."""

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio

from bots.teams.doubts import MAYBE_SHOWN
from core.activities import Blocker
from playground.scripts import Reply, run
from playground.stage import Stage
from playground.story import differences
from playground.teams import TENANT
from playground.teams_faults import Fault
from playground.teams_state import BOT, Kind, Message
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import question, script
from tests.scenarios.teams_thread import EVERYBODY, PATIENT, TeamsThread
from tests.scenarios.test_blockers import codes
from tests.scenarios.thread import WITHIN_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNEL = "19:team-eng@thread.tacv2"
DONE = script({"text": "Done as asked."})


def in_channel(channel: str) -> str:
    """The table of the file."""
    return f'\n[[teams]]\nkey = "ENG"\nchannel = "{channel}"\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Nothing ever came from the channel before its first thread is begun."""
    async with on_stage(tmp_path_factory.mktemp("team"), teams=PATIENT) as stage:
        stage.teams.people.create(CHANNEL, "team-eng", Kind.CHANNEL, EVERYBODY)
        configure(stage, f"teams:{TENANT}/{CHANNEL}")
        await stage.serve()
        yield stage


def configure(stage: Stage, channel: str) -> None:
    config = stage.folder / "threadline.toml"
    config.write_text(config.read_text().partition("\n[[teams]]")[0] + in_channel(channel))
    stage.settings["THREADLINE_TEAMS__SERVICE_URL"] = stage.teams.service_url


@pytest.fixture(autouse=True)
def calm(stage: Stage) -> Any:
    """Afterwards the stand-in behaves again."""
    yield
    stage.teams.api.faults.clear()


def held(name: str) -> Reply:
    """A step that waits until it is released; each name counts once."""
    return {"tools": [run("true")], "hold": name}


def delegated(stage: Stage, title: str = "Search is slow") -> str:
    """A new issue that Eve delegates to us; its identifier."""
    issue = stage.linear.people.create_issue(title, by="eve")
    stage.linear.people.delegate(issue.identifier, by="eve")
    return issue.identifier


def roots(stage: Stage, identifier: str) -> list[Message]:
    """What we wrote in the channel itself about an issue."""
    shown = stage.teams.workspace.conversation(CHANNEL).shown()
    ours = [one for one in shown if not one.is_reply and one.author.id == BOT]
    return [one for one in ours if f"[{identifier}]" in one.shown_text()]


async def opened(stage: Stage, identifier: str) -> TeamsThread:
    """The newest thread of an issue, once it is there."""
    await stage.until(lambda: roots(stage, identifier), WITHIN_S, f"{identifier} has a thread")
    return TeamsThread(stage, CHANNEL, roots(stage, identifier)[-1].id)


async def linked(thread: TeamsThread) -> list[dict[str, str]]:
    """The links of the session, once Linear has that to the thread."""
    links = await thread.until(lambda: thread.session().get("externalLinks"), "Linear links the thread")
    assert isinstance(links, list)
    return links


def history(stage: Stage, identifier: str) -> list[dict[str, Any]]:
    (issue,) = [one for one in stage.issues() if one["identifier"] == identifier]
    return [each for session in issue["sessions"] for each in session["history"]]


async def test_a_delegated_issue_gets_a_thread_that_tells_the_whole_story(stage: Stage) -> None:
    asks = {"tools": [question("Which one wins?", "Archived", "Hidden")]}
    told = {"text": "Done, with docs."}
    stage.model.play([script(asks, held("steered"), {"text": "Done.", "if_told": {"with docs": (told,)}})])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    (link,) = await linked(thread)
    assert (link["label"], thread.root in link["url"]) == ("Teams thread", True)
    await thread.until_shown("Which one wins?")
    await thread.press("Archived")
    await thread.until_held("steered")
    thread.say("and with docs", by="29:bob")
    await thread.until(lambda: "Bob in Teams: and with docs" in thread.told("thought"), "Linear shows it")
    stage.model.release("steered")

    await thread.ended()
    root, *story = thread.texts()
    assert root.endswith(" · Search is slow · started in Linear by Eve")
    assert f"/issue/{identifier}" in root
    assert any(one.startswith("**Eve in Linear:** Search is slow") for one in story)
    assert thread.told("response")[0].startswith("Done, with docs.")
    assert len(roots(stage, identifier)) == 1


async def test_a_reply_after_the_answer_begins_a_turn_in_the_same_thread(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = delegated(stage)
    thread = await opened(stage, identifier)
    await thread.ended()
    thread.say("now document it")

    await thread.ended(2)
    theirs = [one for one in thread.chat()[1:] if " in Linear:** " not in one["text"]]
    assert differences(theirs, thread.session(), "Teams") == []


@pytest.mark.parametrize(("when", "others"), [("before", 0), ("after", 1)])
async def test_a_root_whose_answer_was_lost_is_followed_by_one_that_says_so(
    stage: Stage, when: Literal["before", "after"], others: int
) -> None:
    stage.model.play([DONE])
    stage.teams.api.faults.fail_next("create", Fault(drop=when))
    identifier = delegated(stage)
    await stage.until(lambda: len(roots(stage, identifier)) > others, WITHIN_S, "the thread is there")
    thread = await opened(stage, identifier)

    await thread.ended()
    assert len(roots(stage, identifier)) == others + 1
    assert thread.texts()[0].endswith(f"started in Linear by Eve\n\n{MAYBE_SHOWN}")


async def test_a_refusal_that_passes_is_no_doubt(stage: Stage) -> None:
    stage.model.play([DONE])
    stage.teams.api.faults.fail_next("create", Fault(status=429, retry_after_s=1), 2)
    thread = await opened(stage, delegated(stage))

    await thread.ended()
    assert thread.texts()[0].endswith("started in Linear by Eve")


@pytest.mark.parametrize(
    "channel",
    [
        f"teams:{TENANT}/19:nowhere@thread.tacv2",
        f"teams:{TENANT}/19:closed@thread.tacv2",
        "slack:T0002/C0001",
        "slack:T0001/C0404",
    ],
    ids=["nowhere in Teams", "closed to us", "another workspace of Slack", "nowhere in Slack"],
)
async def test_a_channel_that_cannot_be_is_named_in_linear_and_in_the_log(stage: Stage, channel: str) -> None:
    if "19:closed@thread.tacv2" not in stage.teams.workspace.conversations:
        stage.teams.people.create("19:closed@thread.tacv2", "closed", Kind.CHANNEL, ["29:ann"])
    await stage.terminate()
    configure(stage, channel)
    await stage.serve()
    stage.model.play([DONE])
    identifier = delegated(stage)

    def words(kinds: tuple[str, ...]) -> str:
        return str([one["body"] for one in history(stage, identifier) if one["type"] in kinds])

    await stage.until(lambda: "Done as asked." in words(("response",)), WITHIN_S, "the work is over")
    await stage.until(
        lambda: f"I cannot open a thread in {channel}, where" in words(("thought",)),
        WITHIN_S,
        "Linear names the channel",
    )
    assert Blocker.CHAT_GONE in codes(stage)
    assert any("thread not opened" in line and channel in line for line in stage.log.splitlines())
