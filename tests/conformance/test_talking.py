"""Starting work, steering it and stopping it: the same words on every platform."""

import re

import pytest

from playground.stage import Stage
from tests.conformance.platforms import ROOMS
from tests.conformance.room import DONE
from tests.conformance.support import Difference, scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.processes import runs
from tests.scenarios.scripts import CHANGELOG, script
from tests.scenarios.test_stop import WRITES_THEN_HANGS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDED = "The changelog has a line more."


def prompts(stage: Stage) -> str:
    """Everything that the newest run was told."""
    return str(stage.model.bodies[-1]["messages"])


# Start


@scenario("Start", "a mention in a channel")
async def test_a_mention_begins_a_thread(talk: Talk, stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    asked = talk.mention("please add a line to the changelog")

    await talk.ended()
    await talk.until_marked(asked, DONE)
    card, answer = talk.texts()
    identifier = talk.issue()["identifier"]
    assert re.fullmatch(rf"{identifier} · done in \d+ s · \$\d\.\d\d · Open in Linear", card)
    assert answer.startswith(f"@Ann\n{ADDED}\nBranch ")
    assert answer.endswith(" · 1 file +3 −0")
    assert talk.issue()["title"] == "Add a line to the changelog"
    assert talk.told("thought") == [f"Ann in {talk.platform}: please add a line to the changelog"]


@scenario("Start", "a mention in a thread: what was said there before is known")
async def test_a_mention_in_a_thread(talk: Talk, stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    talk.say("Nobody knows what release 7 changed", by="bob")
    await talk.room.settled()
    talk.mention("please add a line to the changelog")

    await talk.ended()
    assert "Nobody knows what release 7 changed" in prompts(stage)
    assert "Nobody knows what release 7 changed" in talk.issue()["description"]
    assert [one.author for one in talk.messages()] == ["Bob", "Ann", "linear", "linear"]


@scenario("Start", "a direct message, no mention needed")
async def test_a_direct_message(stage: Stage, platform: str) -> None:
    stage.model.play([script(*CHANGELOG)])
    talk = Talk(ROOMS[platform](stage, alone_with="bob"))
    asked = talk.say("add a line to the changelog", by="bob")

    await talk.ended()
    await talk.until_marked(asked, DONE)
    assert talk.texts()[1].startswith(f"@Bob\n{ADDED}")


@scenario("Start", "each new message there begins a session of its own")
async def test_a_second_direct_message(stage: Stage, platform: str, limit: Difference | None) -> None:
    stage.model.play([script({"text": "Documented."}, match="document"), script({"text": "Renamed."})])
    room = ROOMS[platform](stage, alone_with="eve")
    first = Talk(room)
    first.say("rename it", by="eve")
    await first.ended()
    second = Talk(room)
    second.say("document it", by="eve")

    if limit:
        await first.ended(2)
        assert second.issues() == []
        assert first.texts()[-1].startswith("@Eve\nDocumented.")
    else:
        await second.ended()
        assert second.issue()["identifier"] != first.issue()["identifier"]
        assert second.texts()[-1].startswith("@Eve\nDocumented.")


@scenario("Start", "talk that is not for the bot is left alone, and so are other bots")
async def test_what_is_not_for_us(talk: Talk, stage: Stage) -> None:
    began = talk.say("lunch?")
    reply = talk.say("yes", by="bob")
    other = Talk(talk.room)
    alert = other.mention("the build is red", by="alerts")
    await talk.room.settled()
    # What comes later is dealt with later: when this is over, the others were ignored for good.
    stage.model.play([script({"text": "Done."})])
    last = Talk(talk.room)
    last.mention("fix it")
    await last.ended()

    assert talk.texts() == other.texts() == []
    assert not talk.marks(began) | talk.marks(reply) | other.marks(alert)
    assert talk.issues() == other.issues() == []


# Steer


@scenario("Steer", "a follow-up without a mention reaches the running agent")
async def test_a_follow_up(talk: Talk, stage: Stage, platform: str) -> None:
    told = {"text": "Done, and ranking is untouched."}
    name = f"follow-up in {platform}"
    stage.model.play([script(held(name), {"text": "Done.", "if_told": {"ranking": (told,)}})])
    talk.mention("fix the search")
    await talk.until_held(name)
    follow_up = talk.say("don't touch ranking", by="bob")
    await talk.until_told("ranking")
    stage.model.release(name)

    await talk.ended()
    await talk.until_marked(follow_up, DONE)
    assert talk.answers()[0].startswith("@Ann\nDone, and ranking is untouched.")
    assert len(talk.cards()) == 1


@scenario(
    "Steer", "where only mentions reach the bot (no consent to more): a mention steers, talk is not heard"
)
async def test_where_only_mentions_are_heard(talk: Talk, stage: Stage, platform: str) -> None:
    told = {"text": "Done, and ranking is untouched."}
    name = f"mentions alone in {platform}"
    stage.model.play([script(held(name), {"text": "Done.", "if_told": {"ranking": (told,)}})])
    talk.room.hear_mentions_only()
    talk.mention("fix the search")
    await talk.until_held(name)
    unheard = talk.say("with docs, please", by="bob")
    follow_up = talk.mention("don't touch ranking", by="bob")
    await talk.until_told("ranking")
    stage.model.release(name)

    await talk.ended()
    await talk.until_marked(follow_up, DONE)
    assert talk.answers()[0].startswith("@Ann\nDone, and ranking is untouched.")
    assert not talk.marks(unheard)
    assert talk.told("thought")[1:] == [f"Bob in {platform}: don't touch ranking"]
    assert "with docs" not in prompts(stage)


@scenario("Steer", "a follow-up after the answer begins the next turn")
async def test_a_next_turn(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "Documented."}, match="document"), script({"text": "Renamed."})])
    talk.mention("rename it")
    await talk.ended()
    talk.say("document it", by="bob")

    await talk.ended(2)
    assert [one.author for one in talk.messages()] == ["Ann", "linear", "linear", "Bob", "linear", "linear"]
    assert [one.split("\n")[:2] for one in talk.answers()] == [["@Ann", "Renamed."], ["@Bob", "Documented."]]


@scenario("Steer", "an edit of what the agent has reaches it as a correction")
async def test_an_edit(talk: Talk, stage: Stage, platform: str) -> None:
    told = {"text": "Renamed to basket."}
    name = f"edit in {platform}"
    stage.model.play([script(held(name), {"text": "Renamed to cart.", "if_told": {"basket": (told,)}})])
    asked = talk.mention("rename it to cart")
    await talk.until_held(name)
    talk.room.edit("ann", asked, "rename it to basket")
    await talk.until_told("basket")
    stage.model.release(name)

    await talk.ended()
    correction = "Correction of my earlier message, it now reads: rename it to basket"
    assert talk.told("thought")[1:] == [f"Ann in {platform}: {correction}"]
    assert talk.answers()[0].startswith("@Ann\nRenamed to basket.")


@scenario("Steer", "a word for the bot that is edited into a request is that request")
async def test_an_edit_of_a_word_for_the_bot(talk: Talk, stage: Stage, platform: str) -> None:
    stage.model.play([script({"text": "Done."})])
    asked = talk.mention("help")
    await talk.until_shown("stop end the turn")
    talk.room.edit("ann", asked, "fix the search")

    await talk.ended()
    await talk.until_marked(asked, DONE)
    assert talk.told("thought") == [f"Ann in {platform}: fix the search"]
    assert talk.issue()["title"] == "Fix the search"
    assert "orrection" not in prompts(stage)


@scenario("Steer", "what is deleted before the agent has it never reaches it")
async def test_a_deletion(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    stage.linear.faults.down = True
    talk.mention("fix the search")
    await talk.until_shown("Linear does not answer; I keep this and catch up there.")
    follow_up = talk.say("and rename it", by="bob")
    await talk.until(lambda: talk.marks(follow_up), "it is taken")
    talk.room.delete("bob", follow_up)
    await talk.room.settled()
    stage.linear.faults.down = False

    await talk.ended()
    assert "rename it" not in prompts(stage)


@scenario("Steer", "`status`, `why` and `help` are answered in the thread alone")
async def test_words_for_the_bot(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"words in {platform}"
    stage.model.play([script(held(name), {"text": "Fixed."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    for asked, answer in (
        ("status", f"{talk.issue()['identifier']} · "),
        ("why", "Routed to acme/shop: "),
        ("what can you do?", "stop end the turn"),
    ):
        talk.say(asked, by="bob")
        await talk.until_shown(answer)
    stage.model.release(name)
    await talk.ended()

    assert len(talk.told("thought")) == 1
    assert "what can you do" not in prompts(stage)


# Stop


@scenario("Stop", "by the word, the button or a cross on a message of the bot")
@pytest.mark.parametrize("way", ["word", "button", "cross"])
async def test_a_stop(talk: Talk, stage: Stage, way: str) -> None:
    stage.model.play([WRITES_THEN_HANGS])
    talk.mention("measure the export")
    await talk.until(lambda: runs(stage, "measuring"), "the command runs")
    match way:
        case "word":
            talk.say("stop", by="bob")
        case "button":
            await talk.press("Stop")
        case _:
            talk.room.cross("bob", talk.ours()[0].id)

    await talk.ended()
    assert not runs(stage, "measuring")
    (response,) = talk.told("response")
    branch = talk.issue()["branchName"]
    assert response == f"Stopped by Bob. The work so far is on branch `{branch}` · 1 file +1 −0."
    assert talk.answers() == [f"@Ann\n{response.replace('`', '')}"]
    assert " · stopped after " in talk.cards()[0]
