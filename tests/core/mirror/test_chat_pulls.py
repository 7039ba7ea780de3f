"""Pull requests in a chat thread: one message below each turn's answer, and confirmations for one person."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.activities import (
    Author,
    ConfirmAsked,
    Entry,
    Outcome,
    PullShown,
    TurnEnded,
    TurnStarted,
)
from core.ids import ThreadRef, TurnId
from core.mirror.cards import ChatItem, PullItem
from core.mirror.chat_sink import CARD_INTERVAL_S, ChatSink
from core.mirror.queue import Form, Priority, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import fold
from core.ports import Payload, PrivateButton, PrivateLink
from core.pulls import PullAction, PullFacts
from tests.core.mirror.fakes import ANN, SESSION, THREAD, FakeSurface, log_of, render
from tests.core.mirror.pull_items import CARD, DRAFT, MERGED, NEXT, READY, acted, shown

VIEW = View(SESSION, str(THREAD), {})
ELSEWHERE = View(SESSION, str(ThreadRef("slack", "T0001", "C0002", "7.1")), {})
SECOND = TurnId("t2")
STARTED = TurnStarted(turn=TurnId("t1"), author=ANN)
APPROVAL = acted(PullAction.APPROVE, by=ANN)
ASKED = ConfirmAsked(
    person=ANN,
    card=CARD,
    action=PullAction.MERGE,
    body="Merge acme/shop #87 at abc1234 into main, as squash?",
    label="Merge abc1234 as squash",
    word="merge abc1234",
    thread=THREAD,
)


def later(facts: PullFacts) -> PullShown:
    """The card of the turn after, with another head."""
    return replace(shown(replace(facts, head_sha=NEXT)), card="d" * 32, turn=SECOND)


def stale() -> PullShown:
    return shown(replace(READY, head_sha=NEXT), is_stale=True)


class Items:
    """Renders as the fakes do, and remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[ChatItem] = []

    def render(self, item: ChatItem) -> list[Payload]:
        self.seen.append(item)
        return list(render(item))


def op(*entries: Entry, memory: Memory | None = None, view: View = VIEW) -> Op | None:
    log = log_of(*entries)
    sink = ChatSink(FakeSurface(), render)
    return sink.op(log[-1:], fold(log), replace(view, memory=memory or {}))


def after(memory: Memory, made: Op | None, id: str | None) -> Memory:
    assert made is not None
    return ChatSink(FakeSurface(), render).remember(memory, made, None if id is None else Delivered(id))


def form(*entries: Entry, view: View = VIEW) -> Form:
    log = log_of(*entries)
    return ChatSink(FakeSurface(), render).form(log[-1], fold(log), view)


CARD_FORM = Snapshot("pull:t1", CARD_INTERVAL_S, Priority.PROMPT)


@pytest.mark.parametrize(
    ("entries", "shape"),
    [
        ((shown(DRAFT),), CARD_FORM),
        ((shown(DRAFT), APPROVAL), CARD_FORM),
        ((shown(DRAFT), later(READY)), Snapshot("pull:t2", CARD_INTERVAL_S, Priority.PROMPT)),
        ((shown(DRAFT), stale()), CARD_FORM),
        ((APPROVAL,), Skip()),
        ((ASKED,), Solid(Priority.PROMPT, urgent=True)),
    ],
    ids=["first", "acted", "next turn", "stale", "acted before it was shown", "confirm"],
)
def test_how_each_entry_is_shown(entries: tuple[Entry, ...], shape: Form) -> None:
    assert form(STARTED, *entries) == shape


def test_a_confirmation_is_asked_for_only_where_its_person_is() -> None:
    assert form(ASKED, view=ELSEWHERE) == Skip()
    assert form(replace(ASKED, thread=None)) == Skip()


def test_a_pull_request_is_a_message_of_its_own_and_is_edited_while_the_turn_is_the_same() -> None:
    first = op(STARTED, shown(DRAFT))
    memory = after({}, first, "m1")
    edit = op(STARTED, shown(DRAFT), shown(READY), memory=memory)

    assert first is not None
    assert edit is not None
    assert first.call["do"] == "post"
    assert (edit.call["do"], edit.call["message"]) == ("edit", "m1")
    assert edit.call["payload"]["text"].endswith(" · ready")
    assert after(memory, edit, "m1") == memory


def test_it_needs_no_turn_that_is_on() -> None:
    ended = TurnEnded(turn=STARTED.turn, outcome=Outcome.DONE, elapsed_s=1)
    posted = op(STARTED, ended, shown(DRAFT))

    assert posted is not None
    assert posted.call["anchor"] == ["pulls", "t1"]


def test_a_later_turn_has_a_message_below_and_ends_the_older_one() -> None:
    memory = after({}, op(STARTED, shown(READY)), "m1")
    ending = op(STARTED, shown(READY), stale(), memory=memory)
    memory = after(memory, ending, "m1")
    next_one = op(STARTED, shown(READY), stale(), later(READY), memory=memory)

    assert ending is not None
    assert next_one is not None
    assert (ending.call["do"], ending.call["message"]) == ("edit", "m1")
    assert ending.call["payload"]["text"] == "The pull request moved to def5678 since this card."
    assert memory == {"pulls": {}}
    assert next_one.call["do"] == "post"


def test_a_stale_card_that_nobody_saw_is_not_shown_now() -> None:
    assert op(STARTED, shown(READY), stale()) is None


def test_what_people_do_changes_the_newest_card_and_says_nothing_else() -> None:
    items = Items()
    sink, log = ChatSink(FakeSurface(), items.render), log_of(STARTED, shown(READY), APPROVAL)
    memory = {"pulls": {"t1": {"id": "m1", "renewed": False}}}
    made = sink.op(log[-1:], fold(log), replace(VIEW, memory=memory))

    assert made is not None
    assert (made.call["do"], made.call["message"], made.more) == ("edit", "m1", False)
    assert items.seen == [PullItem(shown(READY), (APPROVAL,), (APPROVAL,))]


def test_what_was_done_before_the_last_look_is_known_by_name_only() -> None:
    log = log_of(STARTED, shown(READY), APPROVAL, shown(MERGED))
    story = fold(log)

    assert (story.acts, story.acts_between, story.unseen_acts) == ((APPROVAL,), (APPROVAL,), ())
    assert (story.pull, story.pull_before) == (shown(MERGED), shown(READY))


def test_a_removed_card_is_renewed_once() -> None:
    memory = after({}, op(STARTED, shown(DRAFT)), "m1")
    edit = op(STARTED, shown(DRAFT), shown(READY), memory=memory)
    assert edit is not None
    assert edit.call["fresh"] == "s1/slack/e3/fresh"
    renewed = op(STARTED, shown(DRAFT), shown(READY), memory=after(memory, edit, "m2"))
    assert renewed is not None
    assert (renewed.call["message"], renewed.call["fresh"]) == ("m2", None)


class Whispering(FakeSurface):
    """Shows things to one person alone, too."""

    def __init__(self) -> None:
        super().__init__()
        self.whispers: list[tuple[str, str, str, tuple[PrivateButton, ...]]] = []

    async def whisper(
        self,
        thread: ThreadRef,
        to: Author,
        text: str,
        link: PrivateLink | None = None,
        buttons: Sequence[PrivateButton] = (),
    ) -> None:
        assert link is None
        self.whispers.append((str(thread), to.id, text, tuple(buttons)))


async def test_a_confirmation_is_a_button_and_a_word_for_one_person() -> None:
    surface, made = Whispering(), op(STARTED, ASKED)
    assert made is not None
    await ChatSink(surface, render).deliver(str(THREAD), made, again=False)

    text = f"{ASKED.body} Write `merge abc1234` in the thread to confirm it."
    button = PrivateButton("Merge abc1234 as squash", CARD, PullAction.MERGE)
    assert surface.whispers == [(str(THREAD), ANN.id, text, (button,))]
    assert surface.calls == []


async def test_a_private_call_of_an_earlier_release_is_still_made() -> None:
    surface = Whispering()
    call = {"do": "whisper", "to": ["slack", "T0001/U0ANN", "Ann"], "body": "No.", "provider": None}
    await ChatSink(surface, render).deliver(str(THREAD), Op("post:C0001", call), again=False)
    assert surface.whispers == [(str(THREAD), "T0001/U0ANN", "No.", ())]
