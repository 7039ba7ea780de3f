"""However badly it is delivered, and whoever is away: nothing is lost, doubled or left silent."""

import pytest

from playground.stage import Stage
from tests.conformance.room import DONE
from tests.conformance.support import Difference, scenario
from tests.conformance.talk import Talk, held
from tests.scenarios.scripts import script

pytestmark = pytest.mark.asyncio(loop_scope="module")

BURST = 20
GONE = "The thread or the bot was removed from the channel."


async def told_once(talk: Talk) -> None:
    await talk.ended()
    assert len(talk.told("thought")) == 1
    assert [text.split("\n")[:2] for text in talk.answers()] == [["@Ann", "Done as asked."]]
    assert len(talk.cards()) == len(talk.issues()) == 1


@scenario("Trouble", "everything delivered three times, one after the other or at once")
@pytest.mark.parametrize("together", [False, True], ids=["in turn", "at once"])
async def test_three_deliveries(talk: Talk, stage: Stage, *, together: bool) -> None:
    stage.model.play([script({"text": "Done as asked."})])
    talk.room.repeat(3, together=together)
    asked = talk.mention("add a line")

    await told_once(talk)
    await talk.until_marked(asked, DONE)


@scenario("Trouble", "delivered again after a lost answer")
async def test_a_lost_answer(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "Done as asked."})])
    talk.room.lose_answer()
    talk.mention("add a line")
    await talk.room.settled()

    await told_once(talk)


@scenario("Trouble", "a press that is delivered three times counts once")
async def test_a_press_delivered_three_times(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"press in {platform}"
    stage.model.play([script(held(name), {"text": "Done."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await talk.until_shown("[Stop]")
    talk.room.repeat(3)
    await talk.press("Stop")

    await talk.ended()
    assert talk.told("response") == ["Stopped by Bob. Nothing was changed."]
    assert len(talk.texts()) == 2


@scenario("Trouble", "the service is killed at work: the turn goes on, nothing is there twice")
async def test_a_kill(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"kill in {platform}"
    stage.model.play([script(held(name), {"text": "Done as asked."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await talk.until_told("fix the search")
    await talk.until(lambda: "acme/shop" in str(talk.cards()), "the thread is as far")
    await stage.kill()
    await stage.serve()
    await talk.until_shown("I was restarted and continue.")
    stage.model.release(name)

    await told_once(talk)


@scenario("Trouble", "after a restart: what was said in the thread before is known")
async def test_what_was_said_before_a_restart(talk: Talk, stage: Stage, limit: Difference | None) -> None:
    stage.model.play([script({"text": "Done."})])
    talk.say("Nobody knows what release 7 changed", by="bob")
    await talk.room.settled()
    assert await stage.terminate() == 0
    await stage.serve()
    talk.mention("please add a line to the changelog")

    await talk.ended()
    is_known = "Nobody knows what release 7 changed" in str(stage.model.bodies[-1]["messages"])
    assert is_known is (limit is None)


@scenario("Trouble", "the platform throttles: later, but whole")
async def test_throttling(talk: Talk, stage: Stage) -> None:
    stage.model.play([script({"text": "Done as asked."})])
    before = talk.room.throttled()
    talk.room.throttle(2)
    talk.mention("fix the search")

    await told_once(talk)
    assert talk.room.throttled() > before
    assert not talk.told("error")


@scenario("Trouble", "an answer whose arrival the platform does not report is there once")
async def test_an_unreported_post(talk: Talk, stage: Stage, platform: str, limit: Difference | None) -> None:
    name = f"unreported in {platform}"
    stage.model.play([script(held(name), {"text": "Done as asked."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await talk.until(lambda: "acme/shop" in str(talk.cards()), "the progress message is there")
    talk.room.lose_post()
    stage.model.release(name)

    await talk.ended()
    assert sum("Done as asked." in text for text in talk.texts()) == 1
    is_asked_about = talk.shows("Teams did not tell me whether my last message arrived.")
    assert (is_asked_about, talk.shows("[Show it]")) == (bool(limit), bool(limit))


@scenario("Trouble", "the bot is removed while it works: the session goes on in Linear, which says so")
async def test_a_dead_thread(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"removal in {platform}"
    stage.model.play([script(held(name), {"text": "Done as asked."})])
    talk.mention("fix the search")
    await talk.until_held(name)
    await talk.until_told("fix the search")
    talk.room.expel()
    stage.linear.people.prompt(talk.session()["id"], "and be quick", by="eve")
    await talk.until_told(GONE)
    stage.model.release(name)

    await talk.until(lambda: talk.told("response"), "Linear has the answer")
    assert talk.told("response")[0].startswith("Done as asked.")
    assert not talk.shows("Done as asked.")


@scenario("Trouble", "removed just before the answer: Linear says so at once, and the session goes on there")
async def test_a_thread_that_dies_before_the_answer(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"late removal in {platform}"
    stage.model.play(
        [script({"text": "Once more."}, match="once more"), script(held(name), {"text": "Done."})]
    )
    talk.mention("fix the search")
    await talk.until_held(name)
    await talk.until_told("fix the search")
    talk.room.expel()
    stage.model.release(name)
    await talk.until_told("Done.")
    await talk.until_told(GONE)
    stage.linear.people.prompt(talk.session()["id"], "once more, please", by="eve")

    await talk.until_told("Once more.")
    assert str(talk.lasting()).count(GONE) == 1
    assert not talk.shows("Done.")


@scenario("Trouble", "20 messages within a second: each reaches the agent once")
async def test_a_burst(talk: Talk, stage: Stage, platform: str) -> None:
    name = f"burst in {platform}"
    words = [f"remark {number:02d}" for number in range(BURST)]

    def heard() -> str:
        """All that was said in this conversation of agent and model."""
        bodies = [str(one["messages"]) for one in stage.model.bodies]
        return next((one for one in reversed(bodies) if name in one), "")

    asked = script(held(name), {"text": "Done."}, match=name)
    stage.model.play([asked, script({"text": "Noted."}, match="remark")])
    talk.mention(f"fix the search, {name}")
    await talk.until_held(name)
    for word in words:
        talk.say(word, by="bob")
    await talk.until(lambda: len(talk.told("thought")) == 1 + BURST, "Linear shows all of them")
    stage.model.release(name)

    await talk.until(lambda: all(word in heard() for word in words), "the agent heard all of them")
    # Nearly always in one turn; what comes at its very end begins another.
    await talk.until(lambda: len(talk.cards()) == len(talk.answers()) > 0, "every turn has its answer")
    await talk.until_progress_ended()
    assert [heard().count(word) for word in words] == [1] * BURST
    assert sorted(talk.told("thought")[1:]) == [f"Bob in {platform}: {word}" for word in words]
