"""Kills, lost answers and storms while a session is told in Teams: nobody can tell from the end.

Teams takes no key for a post and shows a bot no messages. So after a post of unknown outcome people find a
message that says so; but no words of ours are to be read twice, and none are missing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import pytest_asyncio

from bots.teams.doubts import MAYBE_SAID, MAYBE_SHOWN, SHOW
from playground.moments import Moment
from playground.scripts import todo
from playground.stage import Stage
from playground.teams_delivery import DeliveryOptions
from playground.teams_faults import Fault
from playground.teams_reading import plain_text
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script
from tests.scenarios.story import BOT, ENDED, alike, is_card
from tests.scenarios.teams_thread import PATIENT, TeamsThread, new_channel
from tests.scenarios.thread import WITHIN_S

pytestmark = [pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

ASKED = "search ignores archived projects, fix it"
ANSWER = "Fixed. Search keeps archived projects now."
SAID = "Fixed. Search"
IN_DOUBT = f"{MAYBE_SAID}\n[{SHOW}]"

# Nothing in it shows whether an agent that was cut short does a step again.
FIX = script({"tools": [todo(0)]}, {"tools": [todo(2)]}, {"tools": [todo(3)]}, {"text": ANSWER})


@dataclass(frozen=True, slots=True)
class Seen:
    """All that must not depend on what went wrong on the way."""

    chat: tuple[str, ...]
    linear: tuple[str, ...]
    status: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("teams"), teams=PATIENT) as stage:
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> AsyncIterator[TeamsThread]:
    """In a channel of its own; afterwards the stand-ins behave again, and the service runs."""
    stage.model.play([FIX])
    yield TeamsThread(stage, new_channel(stage))
    stage.teams.api.faults.clear()
    stage.teams.dispatcher.options = DeliveryOptions()
    stage.linear.faults.clear()
    stage.linear.endpoint.echo.order = "after"
    if stage.process is None:
        await stage.serve()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm(stage: Stage) -> Seen:
    """The session without any trouble."""
    stage.model.play([FIX])
    thread = TeamsThread(stage, new_channel(stage))
    thread.mention(ASKED)
    await over(thread)
    return seen(thread)


async def over(thread: TeamsThread) -> None:
    """Until the turn has ended in Linear and in the thread, and every message is marked."""

    def ended() -> bool:
        answers = [one for one in thread.lasting() if one["type"] in ("response", "error")]
        return len(answers) == 1 and any(ENDED.search(text) for text in thread.cards())

    await thread.until(ended, "the turn is over on both sides")
    await thread.all_marked_done()


def seen(thread: TeamsThread) -> Seen:
    """What there is to be read now, but for progress that a second card took over and words about doubt."""
    lines = []
    for one in thread.chat():
        marks = " ".join(sorted(one["reactions"]))
        if one["text"] != IN_DOUBT and not (is_card(one["text"]) and not ENDED.search(one["text"])):
            # What an agent cost that was cut short, nobody knows.
            lines.append(alike(f"{one['author']}: {one['text']} {marks}".rstrip()).replace(" · $N", ""))
    told = [alike(f"{one['type']}: {one.get('body') or one['action']}") for one in thread.lasting()]
    return Seen(tuple(lines), tuple(told), thread.session()["status"])


def in_doubt(thread: TeamsThread) -> int:
    """How often people are told that something may be missing."""
    return thread.texts().count(IN_DOUBT)


def at(kind: str, moment: Moment, *, of: str = "") -> Callable[[Stage], asyncio.Event]:
    """Kill the service at a call of Teams that holds `of`; `before` it, it is never executed."""

    def arm(stage: Stage) -> asyncio.Event:
        faults, killed = stage.teams.api.faults, asyncio.Event()

        async def kill() -> None:
            if moment == "before":
                faults.fail_next(kind, Fault(drop="before"))
            await stage.kill()
            killed.set()

        def meant(fields: Any) -> bool:
            return of in str(fields)

        faults.at(kind, moment, kill, when=meant)
        return killed

    return arm


async def revived(stage: Stage, killed: asyncio.Event) -> None:
    await stage.until(killed.is_set, WITHIN_S, "the service is killed")
    await stage.serve()


IDEMPOTENT = {
    "the first reaction is there, unanswered": at("react", "executed"),
    "the progress was not edited yet": at("update", "before"),
    "the progress is edited, unanswered": at("update", "executed"),
    "the end is on the card, unanswered": at("update", "executed", of="done in"),
    "the last mark is set, unanswered": at("react", "executed", of="2705_"),
}
"""Calls that may be made again freely."""


@pytest.mark.parametrize("point", IDEMPOTENT)
async def test_a_kill_at_what_may_be_repeated_changes_nothing_that_people_see(
    thread: TeamsThread, calm: Seen, point: str
) -> None:
    killed = IDEMPOTENT[point](thread.stage)
    thread.mention(ASKED)
    await revived(thread.stage, killed)
    await over(thread)
    assert (seen(thread), in_doubt(thread)) == (calm, 0)
    assert len(thread.cards()) == 1


async def test_a_kill_right_after_an_event_was_answered_loses_nothing(
    thread: TeamsThread, calm: Seen
) -> None:
    thread.mention(ASKED)
    await thread.stage.teams.settled()
    await thread.stage.kill()
    await thread.stage.serve()
    await over(thread)
    assert calm.linear == seen(thread).linear
    assert seen(thread).chat == calm.chat


async def test_a_kill_after_the_answer_was_posted_does_not_say_it_twice(
    thread: TeamsThread, calm: Seen
) -> None:
    killed = at("send", "executed", of=SAID)(thread.stage)
    thread.mention(ASKED)
    await revived(thread.stage, killed)
    await over(thread)
    assert (seen(thread), in_doubt(thread)) == (calm, 1)
    assert [alike(text) for text in thread.behind_buttons()] == [said(calm)]


async def test_a_kill_before_the_answer_was_posted_does_not_lose_it(thread: TeamsThread, calm: Seen) -> None:
    killed = at("send", "before", of=SAID)(thread.stage)
    thread.mention(ASKED)
    await revived(thread.stage, killed)
    await over(thread)
    assert seen(thread).linear == calm.linear
    assert (seen(thread).chat, in_doubt(thread)) == (without_answer(calm), 1)
    assert [alike(text) for text in thread.behind_buttons()] == [said(calm)]


@pytest.mark.parametrize(("moment", "cards"), [("before", 1), ("executed", 2)])
async def test_a_kill_at_the_progress_message_leaves_one_that_goes_on(
    thread: TeamsThread, calm: Seen, moment: Moment, cards: int
) -> None:
    killed = at("send", moment)(thread.stage)
    thread.mention(ASKED)
    await revived(thread.stage, killed)
    await over(thread)
    assert (seen(thread), in_doubt(thread)) == (calm, 0)
    assert len(thread.cards()) == cards
    (ended,) = [one for one in thread.ours() if ENDED.search(one.shown_text())]
    first = ended.revisions[0]
    assert plain_text(first.text, first.cards).startswith(MAYBE_SHOWN)


def said(calm: Seen) -> str:
    """The answer as people read it."""
    (answer,) = [line for line in calm.chat if SAID in line]
    return answer.removeprefix(f"{BOT}: ")


def without_answer(calm: Seen) -> tuple[str, ...]:
    return tuple(line for line in calm.chat if SAID not in line)


LOST: dict[str, tuple[Fault, bool]] = {
    "it lands, the response is lost": (Fault(drop="after"), True),
    "it does not land, the connection is reset": (Fault(drop="before"), False),
    "it lands, a gateway gives up waiting": (Fault(status=504, executes=True), True),
    "it does not land, the gateway is bad": (Fault(status=502), False),
    "it lands, a gateway says that nobody is there": (Fault(status=503, executes=True), True),
}


@pytest.mark.parametrize("trouble", LOST)
async def test_an_answer_of_which_nobody_knows_is_not_said_twice_and_not_lost(
    thread: TeamsThread, calm: Seen, trouble: str
) -> None:
    fault, lands = LOST[trouble]
    faults = thread.stage.teams.api.faults

    async def spoil() -> None:
        faults.fail_next("send", fault)

    def meant(fields: Any) -> bool:
        return SAID in str(fields)

    faults.at("send", "before", spoil, when=meant)
    thread.mention(ASKED)
    await over(thread)
    assert seen(thread).linear == calm.linear
    assert seen(thread).chat == (calm.chat if lands else without_answer(calm))
    assert (in_doubt(thread), [alike(text) for text in thread.behind_buttons()]) == (1, [said(calm)])


async def test_edits_and_reactions_of_which_nobody_knows_are_simply_made_again(
    thread: TeamsThread, calm: Seen
) -> None:
    faults = thread.stage.teams.api.faults
    drops: tuple[Literal["before", "after"], ...] = ("before", "after")
    for kind in ("update", "react", "unreact"):
        for drop in drops:
            faults.fail_next(kind, Fault(drop=drop))
        faults.fail_next(kind, Fault(status=502))
    before = len(thread.stage.teams.api.log)
    thread.mention(ASKED)
    await over(thread)
    assert (seen(thread), in_doubt(thread), len(thread.cards())) == (calm, 0, 1)
    suffered = [one for one in thread.stage.teams.api.log[before:] if one.status in (None, 502)]
    assert {one.kind for one in suffered} >= {"update", "react"}


async def test_a_storm_of_refusals_delays_everything_and_loses_nothing(
    thread: TeamsThread, calm: Seen
) -> None:
    faults = thread.stage.teams.api.faults
    for kind in ("send", "update", "react", "unreact"):
        faults.fail_next(kind, Fault(status=429, retry_after_s=1), 2)
    before = len(thread.stage.teams.api.log)
    thread.mention(ASKED)
    await over(thread)
    assert (seen(thread), in_doubt(thread), len(thread.cards())) == (calm, 0, 1)
    refused = [one for one in thread.stage.teams.api.log[before:] if one.status == 429]
    assert {one.kind for one in refused} >= {"send", "update", "react"}


async def test_three_deliveries_of_everything_at_once_are_one(thread: TeamsThread, calm: Seen) -> None:
    thread.stage.teams.dispatcher.options = DeliveryOptions(copies=3, together=True)
    thread.mention(ASKED)
    await over(thread)
    assert (seen(thread), in_doubt(thread), len(thread.cards())) == (calm, 0, 1)
    assert len(thread.issues()) == 1


async def test_an_answer_to_an_event_that_was_lost_brings_it_again_and_changes_nothing(
    thread: TeamsThread, calm: Seen
) -> None:
    thread.stage.teams.dispatcher.options = DeliveryOptions(drop_answers=1)
    mention = thread.mention(ASKED)
    await over(thread)
    assert (seen(thread), len(thread.issues())) == (calm, 1)
    told = [one for one in thread.stage.teams.dispatcher.log if one.activity["id"] == mention]
    assert [len(one.attempts) for one in told] == [2]


async def test_while_teams_is_away_linear_goes_on_and_all_arrives_afterwards(
    thread: TeamsThread, calm: Seen
) -> None:
    faults, calls = thread.stage.teams.api.faults, thread.stage.teams.api.log
    before = len(calls)

    async def go_away() -> None:
        faults.is_down = True

    faults.at("send", "before", go_away, when=lambda fields: SAID in str(fields))
    thread.mention(ASKED)
    await thread.until(lambda: any(one.status == 503 for one in calls[before:]), "the answer is refused")
    await thread.until(lambda: thread.told("response"), "Linear has the answer")
    faults.is_down = False
    await over(thread)
    assert seen(thread).linear == calm.linear
    # 503 may be a gateway's word about a call that was executed.
    assert (seen(thread).chat, in_doubt(thread), len(thread.cards())) == (without_answer(calm), 1, 1)
    assert [alike(text) for text in thread.behind_buttons()] == [said(calm)]


async def test_who_is_removed_after_the_turn_says_so_in_linear(thread: TeamsThread) -> None:
    faults = thread.stage.teams.api.faults
    thread.mention(ASKED)
    await thread.until(thread.cards, "the progress is shown")
    faults.is_down = True
    await thread.until(lambda: thread.told("response"), "Linear has the answer")
    thread.stage.teams.people.uninstall("29:ann", thread.channel)
    faults.is_down = False

    gone = "This session is not shown in Teams any more."
    await thread.until(lambda: gone in str(thread.told("response")), "Linear tells of it")
    assert (len(thread.told("response")), thread.session()["status"]) == (2, "complete")
