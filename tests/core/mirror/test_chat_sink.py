from collections.abc import Sequence

import pytest

from core.activities import (
    Action,
    Answered,
    AuthAsked,
    AuthGiven,
    Author,
    Blocked,
    Blocker,
    Denied,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Heartbeat,
    Notice,
    Outcome,
    Plan,
    Prompt,
    Response,
    Thought,
    TurnEnded,
    TurnStarted,
)
from core.errors import Refused
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from core.mirror.anchors import CARDS_KEPT
from core.mirror.chat_sink import SLACK_LIMITS, ChatSink, thread_of
from core.mirror.queue import Form, Priority, Skip, Snapshot, Solid
from core.mirror.sink import Delivered, Memory, Op, View
from core.mirror.story import fold
from core.ports import PrivateButton, PrivateLink
from tests.core.mirror.fakes import ANN, EVE, SESSION, THREAD, FakeSurface, log_of, render

TURN = TurnId("t1")
STARTED = TurnStarted(turn=TURN, author=ANN)
QUESTION = Elicitation(id=ElicitationId("q"), body="Which?")
SINK = ChatSink(FakeSurface(), render)
VIEW = View(SESSION, str(THREAD), {})


def fate(value: Fate, thread: ThreadRef = THREAD) -> FateChanged:
    return FateChanged(message=MessageRef(thread, "m1"), fate=value)


@pytest.mark.parametrize(
    ("entry", "form"),
    [
        (STARTED, Solid(Priority.PROMPT, urgent=True)),
        (Plan(steps=()), Snapshot("card:t1", 2.0, Priority.PLAN)),
        (Action(action="Ran", parameter="x"), Snapshot("card:t1", 2.0, Priority.ACTION)),
        (Thought(body="x"), Snapshot("card:t1", 2.0, Priority.THOUGHT)),
        (Heartbeat(elapsed_s=60), Snapshot("card:t1", 2.0, Priority.PLAN)),
        (Blocked(code=Blocker.QUEUED, body="x"), Snapshot("card:t1", 2.0, Priority.PLAN)),
        (Blocked(code=Blocker.CHAT_GONE, body="x"), Skip()),
        (
            TurnEnded(turn=TURN, outcome=Outcome.DONE, elapsed_s=1),
            Snapshot("card:t1", 2.0, Priority.PLAN),
        ),
        (fate(Fate.SEEN), Snapshot("fate:m1", 0.0, Priority.PROMPT, urgent=True)),
        (fate(Fate.SEEN, ThreadRef("slack", "T0001", "C0001", "other")), Skip()),
        (fate(Fate.SEEN, ThreadRef("teams", "T0001", "C0001", "100.1")), Skip()),
        (Prompt(author=ANN, body="x"), Skip()),
        (Prompt(author=EVE, body="x"), Solid(Priority.PROMPT)),
        (Response(body="x"), Solid(Priority.TERMINAL, urgent=True)),
        (Error(code=Blocker.MODEL_KEY, body="x"), Solid(Priority.TERMINAL, urgent=True)),
        (QUESTION, Solid(Priority.ELICITATION, urgent=True)),
        (Answered(elicitation=QUESTION.id, by=EVE, answer="x"), Solid(Priority.PROMPT, urgent=True)),
        (Notice(body="x"), Solid(Priority.PROMPT, urgent=True)),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_how_each_entry_is_shown(entry: Entry, form: Form) -> None:
    log = log_of(STARTED, entry)

    assert SINK.form(log[-1], fold(log), VIEW) == form


def test_progress_outside_of_a_turn_has_no_card_to_show_it() -> None:
    log = log_of(Thought(body="x"))

    assert SINK.form(log[0], fold(log), VIEW) == Skip()


def op(*entries: Entry, memory: Memory | None = None, part: int = 0) -> Op | None:
    log = log_of(*entries)
    return SINK.op(log[-1:], fold(log), View(SESSION, str(THREAD), memory or {}, part))


def after(memory: Memory, op: Op | None, id: str | None) -> Memory:
    assert op is not None
    return SINK.remember(memory, op, None if id is None else Delivered(id))


def test_posts_carry_a_key_that_a_crash_does_not_change() -> None:
    first, again = op(Response(body="a\fb"), part=1), op(Response(body="a\fb"), part=1)

    assert first == again
    assert first is not None
    assert first.call["key"] == "s1/slack/e1/1"
    assert first.cost == "post:C0001"
    assert not first.more


def test_a_card_is_posted_once_and_edited_then() -> None:
    posted = op(STARTED)
    memory = after({}, posted, "m1")
    edited = op(STARTED, Thought(body="x"), memory=memory)

    assert posted is not None
    assert posted.call["do"] == "post"
    assert edited is not None
    assert (edited.call["do"], edited.call["message"], edited.call["payload"]) == (
        "edit",
        "m1",
        {"text": "card t1: x"},
    )
    assert after(memory, edited, "m1") == memory


def test_a_card_that_was_refused_is_not_tried_over_and_over() -> None:
    memory = after({}, op(STARTED), None)

    assert op(STARTED, Thought(body="x"), memory=memory) is None


def test_a_renewed_card_is_edited_in_its_new_place_and_renewed_no_more() -> None:
    memory = after({}, op(STARTED), "m1")
    edit = op(STARTED, Thought(body="x"), memory=memory)
    renewed = after(memory, edit, "m2")
    next_edit = op(STARTED, Thought(body="y"), memory=renewed)

    assert next_edit is not None
    assert (next_edit.call["message"], next_edit.call["fresh"]) == ("m2", None)
    assert op(STARTED, Thought(body="z"), memory=after(renewed, next_edit, None)) is None


def test_only_the_newest_cards_are_remembered() -> None:
    memory: Memory = {}
    for i in range(CARDS_KEPT + 3):
        memory = after(memory, op(TurnStarted(turn=TurnId(f"t{i}"), author=ANN)), f"m{i}")

    assert list(memory["cards"]) == [f"t{i}" for i in range(3, CARDS_KEPT + 3)]


def test_an_answered_question_is_closed_where_it_was_asked_and_then_forgotten() -> None:
    answered = Answered(elicitation=QUESTION.id, by=EVE, answer="Archived")
    memory = after({}, op(QUESTION), "m7")
    closing = op(QUESTION, answered, memory=memory)

    assert closing is not None
    assert closing.call["message"] == "m7"
    assert closing.call["payload"] == {"text": "Answered by Eve in Linear: Archived"}
    assert after(memory, closing, "m7") == {"questions": {}}
    assert op(QUESTION, answered) is None


@pytest.mark.parametrize(
    ("last", "new", "cost", "add", "remove"),
    [
        (None, Fate.SEEN, "react", "seen", None),
        ("seen", Fate.DELIVERED, "move", "delivered", "seen"),
        ("delivered", Fate.WITHDRAWN, "move", None, "delivered"),
    ],
)
def test_a_reaction_takes_the_place_of_the_one_before(
    last: str | None, new: Fate, cost: str, add: str | None, remove: str | None
) -> None:
    made = op(fate(new), memory={"fates": {"m1": last}} if last else {})

    assert made == Op(cost, {"do": "react", "message": "m1", "add": add, "remove": remove})


def test_a_reaction_that_is_there_costs_no_call() -> None:
    assert op(fate(Fate.SEEN), memory={"fates": {"m1": "seen"}}) is None
    assert op(fate(Fate.WITHDRAWN)) is None


def test_the_fate_of_a_finished_message_is_forgotten() -> None:
    memory = after({}, op(fate(Fate.SEEN)), "")

    assert memory == {"fates": {"m1": "seen"}}
    assert after(memory, op(fate(Fate.DONE), memory=memory), "") == {"fates": {}}


def test_every_channel_has_a_limit_of_its_own_for_new_messages() -> None:
    here, there = (
        op(Notice(body="x")),
        SINK.op(
            log_of(Notice(body="x")),
            fold(log_of(Notice(body="x"))),
            View(SESSION, "slack:T0001/C0002/1.1", {}),
        ),
    )

    assert here is not None
    assert there is not None
    assert (here.cost, there.cost) == ("post:C0001", "post:C0002")
    assert SINK.limit(here.cost) == SLACK_LIMITS["post"]


@pytest.mark.parametrize(
    "thread",
    [
        THREAD,
        ThreadRef("teams", "4f6e-tenant", "19:abc/def@thread.tacv2;messageid=17", "1700000000000"),
        ThreadRef("slack", "T1", "D1", "1700000000.000100"),
    ],
)
def test_a_thread_survives_being_text(thread: ThreadRef) -> None:
    assert thread_of(str(thread)) == thread


ASKED = AuthAsked(person=ANN, provider="Linear", body="I don't know you yet.", thread=THREAD)
ELSEWHERE = View(SESSION, str(ThreadRef("slack", "T0001", "C0002", "7.1")), {})


class Whispering(FakeSurface):
    """Shows things to one person alone, too."""

    def __init__(self) -> None:
        super().__init__()
        self.whispers: list[tuple[str, str, str, PrivateLink | None]] = []

    async def whisper(
        self,
        thread: ThreadRef,
        to: Author,
        text: str,
        link: PrivateLink | None = None,
        buttons: Sequence[PrivateButton] = (),
    ) -> None:
        self.whispers.append((str(thread), to.id, text, link))


class Links:
    async def link_for(self, provider: str, person: Author) -> str:
        return f"https://bot.acme.test/{provider}/{person.id}"


def planned(entry: Entry, view: View = VIEW) -> Op | None:
    log = log_of(STARTED, entry)
    return SINK.op([log[-1]], fold(log), view)


def test_all_read_who_is_waited_for_and_one_gets_the_link() -> None:
    public = planned(ASKED)
    assert public is not None
    assert (public.call["do"], public.more) == ("post", True)
    private = planned(ASKED, View(SESSION, str(THREAD), {}, part=1))
    assert private is not None
    assert (private.call["do"], private.more) == ("whisper", False)
    assert "http" not in str(private.call)
    known = planned(AuthAsked(person=ANN, provider="Linear", body="x", thread=THREAD, is_known=True))
    assert known is not None
    assert known.call["do"] == "whisper"


def test_another_thread_of_the_session_sees_only_who_is_waited_for() -> None:
    public = planned(ASKED, ELSEWHERE)
    assert public is not None
    assert (public.call["do"], public.more) == ("post", False)
    assert planned(ASKED, View(SESSION, ELSEWHERE.target, {}, part=1)) is None


def test_a_refusal_is_told_where_it_was_asked_for_and_a_link_shows_by_what_it_brings() -> None:
    denied = Denied(person=ANN, code=Blocker.PERSON_GUEST, body="No.", thread=THREAD)
    shown: list[tuple[Entry, View, Form]] = [
        (denied, VIEW, Solid(Priority.PROMPT, urgent=True)),
        (denied, ELSEWHERE, Skip()),
        (AuthGiven(person=ANN), VIEW, Skip()),
    ]
    for entry, view, form in shown:
        log = log_of(STARTED, entry)
        assert SINK.form(log[-1], fold(log), view) == form


async def test_a_private_link_is_made_when_it_is_sent() -> None:
    surface = Whispering()
    sink = ChatSink(surface, render, linker=Links())
    private = planned(ASKED, View(SESSION, str(THREAD), {}, part=1))
    assert private is not None
    delivered = await sink.deliver(str(THREAD), private, again=False)
    [(where, who, text, link)] = surface.whispers
    assert (where, who, text.startswith(ASKED.body)) == (str(THREAD), ANN.id, True)
    assert link == PrivateLink("Link account", f"https://bot.acme.test/Linear/{ANN.id}")
    assert sink.remember({}, private, delivered) == {}


async def test_what_cannot_be_told_privately_is_refused_and_not_told_to_all() -> None:
    private = planned(ASKED, View(SESSION, str(THREAD), {}, part=1))
    assert private is not None
    for sink in (ChatSink(FakeSurface(), render, linker=Links()), ChatSink(Whispering(), render)):
        with pytest.raises(Refused):
            await sink.deliver(str(THREAD), private, again=False)
