"""The life cycle: a table of steps, and rules that hold for any order of events."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import (
    TERMINAL,
    Answered,
    Author,
    Blocked,
    Blocker,
    Elicitation,
    Entry,
    Error,
    Fate,
    FateChanged,
    Option,
    Outcome,
    Prompt,
    Response,
    Thought,
    TurnEnded,
    TurnStarted,
    Unblocked,
    dump_entry,
    load_entry,
)
from core.ids import ElicitationId, EntryKey, MessageRef, ThreadRef, TurnId
from core.session import (
    AgentGone,
    AnswerGiven,
    Append,
    Asked,
    Effect,
    Given,
    HandedOver,
    Interrupt,
    Noted,
    Prompted,
    Resolve,
    Session,
    SessionEvent,
    Status,
    Steer,
    StopRequested,
    TurnClosed,
    TurnOpened,
    TurnResumed,
    Withdrawn,
    dump_session,
    load_session,
    step,
    unheard,
)

ANN = Author("slack", "T1/UANN", "Ann", "ann@acme.test")
EVE = Author("linear", "eve", "Eve")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
FIRST = Given("m1", ANN, "search is broken", MessageRef(THREAD, "100.1"))
SECOND = Given("m2", EVE, "leave ranking alone")
T1, T2 = TurnId("t1"), TurnId("t2")
OPENED = TurnOpened(turn=T1, given=(FIRST,), at=100.0)
DONE = TurnClosed(terminal=Response(body="Fixed."), outcome=Outcome.DONE, at=160.4, cost_usd=0.31)
WHICH = Elicitation(
    id=ElicitationId("q1"), body="Which wins?", options=(Option("1", "Archived"), Option("2", "Hidden"))
)
WHERE = Elicitation(id=ElicitationId("q2"), body="Which repository?", code=Blocker.REPO_UNKNOWN)
BUSY = Blocked(code=Blocker.MODEL_BUSY, body="The model is overloaded.")


def after(*events: SessionEvent) -> Session:
    session = Session()
    for event in events:
        session, _ = step(session, event)
    return session


def effects_of(event: SessionEvent, session: Session) -> tuple[Effect, ...]:
    return step(session, event)[1]


def test_a_turn_opens_with_everything_that_was_said() -> None:
    session, effects = step(Session(), replace(OPENED, given=(FIRST, SECOND)))
    assert session == Session(
        status=Status.ACTIVE, turn=T1, requester=ANN, started_at=100.0, given=(FIRST, SECOND)
    )
    assert effects == (
        Append(EntryKey("t1/start"), TurnStarted(turn=T1, author=ANN)),
        Append(
            EntryKey("said/m1"), Prompt(author=ANN, body="search is broken", message=FIRST.message), "slack"
        ),
        Append(EntryKey("said/m2"), Prompt(author=EVE, body="leave ranking alone"), "linear"),
    )


def test_a_second_turn_does_not_open_beside_the_first() -> None:
    session = after(OPENED)
    assert step(session, TurnOpened(turn=T2, given=(SECOND,), at=101.0)) == (session, ())


def test_a_turn_with_nothing_to_do_does_not_open() -> None:
    assert step(Session(), TurnOpened(turn=T1, given=(), at=1.0)) == (Session(), ())


def test_what_is_said_in_an_open_turn_is_logged_and_steered() -> None:
    session, effects = step(after(OPENED), Prompted(SECOND))
    assert session.given == (FIRST, SECOND)
    assert effects == (
        Append(EntryKey("said/m2"), Prompt(author=EVE, body="leave ranking alone"), "linear"),
        Steer(SECOND),
    )


def test_what_is_said_in_the_queue_is_marked_as_queued() -> None:
    waiting = after(OPENED, Noted(EntryKey("q"), Blocked(code=Blocker.QUEUED, body="Queued: 1 ahead.")))
    third = replace(FIRST, key="m3", message=MessageRef(THREAD, "100.3"))
    _, effects = step(waiting, Prompted(third))
    queued = FateChanged(message=MessageRef(THREAD, "100.3"), fate=Fate.QUEUED)
    assert Append(EntryKey("fate/m3/queued"), queued) in effects


def test_what_waits_for_the_agent_can_be_taken_back() -> None:
    session, effects = step(after(OPENED, Prompted(SECOND)), Withdrawn("m1"))
    assert (session.given, session.stopping) == ((SECOND,), None)
    assert effects == (
        Append(
            EntryKey("withdrawn/m1"),
            Prompt(author=FIRST.author, body=f"Taken back: {FIRST.text}"),
            FIRST.author.surface,
        ),
        Append(
            EntryKey("fate/m1/withdrawn"),
            FateChanged(message=MessageRef(THREAD, "100.1"), fate=Fate.WITHDRAWN),
        ),
    )


def test_taking_back_the_last_of_it_calls_the_turn_off() -> None:
    session, effects = step(after(OPENED), Withdrawn("m1"))
    assert session.stopping == FIRST.author
    assert effects[-1] == Interrupt()


def test_what_the_agent_has_cannot_be_taken_back() -> None:
    session = after(OPENED, HandedOver(("m1",)))
    assert step(session, Withdrawn("m1")) == (session, ())


def test_what_was_taken_back_at_the_last_moment_does_not_count_as_handed_over() -> None:
    session, _ = step(after(OPENED, Prompted(SECOND), Withdrawn("m1")), HandedOver(("m1", "m2")))
    assert session.handed == (("m2",),)


def test_handing_over_shows_on_the_messages_that_a_surface_can_mark() -> None:
    session, effects = step(after(OPENED, Prompted(SECOND)), HandedOver(("m1", "m2")))
    assert session.handed == (("m1", "m2"),)
    assert unheard(session) == ()
    assert effects == (
        Append(
            EntryKey("fate/m1/delivered"),
            FateChanged(message=MessageRef(THREAD, "100.1"), fate=Fate.DELIVERED),
        ),
    )


def test_a_question_waits_and_its_answer_goes_to_whoever_asked_as_a_value() -> None:
    asked, first = step(after(OPENED), Asked(WHICH))
    answered, second = step(asked, AnswerGiven(WHICH.id, EVE, "Hidden"))
    assert (asked.status, answered.status) == (Status.AWAITING_INPUT, Status.ACTIVE)
    assert first == (Append(EntryKey("asked/q1"), WHICH),)
    assert second == (
        Append(EntryKey("answered/q1"), Answered(elicitation=WHICH.id, by=EVE, answer="Hidden"), "linear"),
        Resolve(WHICH.id, "2"),
    )


def test_free_words_go_to_whoever_asked_as_they_are() -> None:
    effects = effects_of(AnswerGiven(WHICH.id, ANN, "neither of them"), after(OPENED, Asked(WHICH)))
    assert effects[-1] == Resolve(WHICH.id, "neither of them")


def test_the_first_answer_wins() -> None:
    session = after(OPENED, Asked(WHICH), AnswerGiven(WHICH.id, ANN, "Archived"))
    assert step(session, AnswerGiven(WHICH.id, EVE, "Hidden")) == (session, ())


def test_a_session_waits_until_its_last_question_is_answered() -> None:
    session = after(OPENED, Asked(WHICH), Asked(WHERE), AnswerGiven(WHICH.id, ANN, "Archived"))
    assert (session.status, session.questions) == (Status.AWAITING_INPUT, (WHERE,))


def test_a_question_is_asked_once() -> None:
    session = after(OPENED, Asked(WHICH))
    assert step(session, Asked(WHICH)) == (session, ())


def test_a_stop_interrupts_once_and_takes_the_questions_back() -> None:
    session, effects = step(after(OPENED, Asked(WHICH)), StopRequested(EVE))
    assert (session.stopping, session.questions, effects) == (EVE, (), (Interrupt(),))
    assert step(session, StopRequested(ANN)) == (session, ())


@pytest.mark.parametrize(
    "event",
    [
        Prompted(SECOND),
        HandedOver(("m1",)),
        Noted(EntryKey("k"), Thought(body="Hm.")),
        Asked(WHERE),
        AnswerGiven(WHICH.id, ANN, "Archived"),
    ],
)
def test_while_stopping_only_the_end_counts(event: SessionEvent) -> None:
    session = after(OPENED, Asked(WHICH), StopRequested(ANN))
    assert step(session, event) == (session, ())


def test_a_turn_ends_in_one_terminal_activity_and_marks_its_messages() -> None:
    session, effects = step(after(OPENED, HandedOver(("m1",))), DONE)
    assert session == Session(status=Status.COMPLETE)
    assert effects == (
        Append(EntryKey("t1/end"), Response(body="Fixed.")),
        Append(EntryKey("t1/ended"), TurnEnded(turn=T1, outcome=Outcome.DONE, elapsed_s=60, cost_usd=0.31)),
        Append(EntryKey("fate/m1/done"), FateChanged(message=MessageRef(THREAD, "100.1"), fate=Fate.DONE)),
    )


def test_a_turn_is_not_done_while_the_agent_has_not_heard_everything() -> None:
    session = after(OPENED, HandedOver(("m1",)), Prompted(SECOND))
    assert step(session, DONE) == (session, ())
    assert unheard(session) == ("m2",)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.STOPPED])
def test_a_turn_fails_whatever_the_agent_has_heard(outcome: Outcome) -> None:
    assert after(OPENED, replace(DONE, outcome=outcome)).turn is None


def test_a_stop_ends_a_turn_whatever_the_agent_has_heard() -> None:
    assert after(OPENED, StopRequested(ANN), DONE).turn is None


def test_an_error_is_the_status_until_the_next_turn() -> None:
    failed = TurnClosed(
        terminal=Error(code=Blocker.AGENT_FAILED, body="No."), outcome=Outcome.FAILED, at=101.0
    )
    assert after(OPENED, failed).status is Status.ERROR
    assert after(OPENED, failed, TurnOpened(turn=T2, given=(SECOND,), at=102.0)).status is Status.ACTIVE


def test_what_was_in_the_way_does_not_outlive_the_turn() -> None:
    session = after(OPENED, Noted(EntryKey("b"), BUSY), StopRequested(ANN))
    assert effects_of(DONE, session)[0] == Append(
        EntryKey("t1/unblocked/model.busy"), Unblocked(code=Blocker.MODEL_BUSY)
    )


def test_what_was_cleared_is_not_cleared_again() -> None:
    session = after(
        OPENED,
        HandedOver(("m1",)),
        Noted(EntryKey("b"), BUSY),
        Noted(EntryKey("u"), Unblocked(code=Blocker.MODEL_BUSY)),
    )
    assert not any(
        isinstance(one, Append) and isinstance(one.entry, Unblocked) for one in effects_of(DONE, session)
    )


def test_a_new_attempt_finds_out_anew_what_is_in_the_way() -> None:
    session, effects = step(after(OPENED, Noted(EntryKey("b"), BUSY)), TurnResumed(7))
    assert session.blocked == ()
    assert effects == (Append(EntryKey("t1/7/unblocked/model.busy"), Unblocked(code=Blocker.MODEL_BUSY)),)


@pytest.mark.parametrize("event", [AgentGone(), TurnResumed(2)])
def test_a_question_stays_open_when_the_agent_is_gone_and_its_answer_goes_to_the_next_one(
    event: SessionEvent,
) -> None:
    alone, effects = step(after(OPENED, Asked(WHICH)), event)
    assert (alone.questions, alone.orphaned, effects) == ((WHICH,), True, ())

    session, effects = step(alone, AnswerGiven(WHICH.id, EVE, "Archived"))
    told = session.given[-1]
    assert effects == (
        Append(
            EntryKey("answered/q1"), Answered(elicitation=WHICH.id, by=EVE, answer="Archived"), EVE.surface
        ),
        Steer(told),
    )
    assert (session.orphaned, session.status, unheard(session)[-1]) == (False, Status.ACTIVE, told.key)
    assert "You asked: Which wins?\nThe answer of Eve: Archived" in told.text


@pytest.mark.parametrize("event", [AgentGone(), TurnResumed(2)])
def test_an_answer_that_the_agent_may_not_have_heard_is_told_to_the_next_one(event: SessionEvent) -> None:
    answered = after(OPENED, Asked(WHICH), AnswerGiven(WHICH.id, EVE, "Archived"))
    session, _ = step(answered, event)
    assert "The answer of Eve: Archived" in session.given[-1].text

    heard, _ = step(answered, Noted(EntryKey("t"), Thought(body="Archived, then.")))
    session, _ = step(heard, event)
    assert session.given == OPENED.given


def test_answers_to_one_question_after_the_other_are_told_together() -> None:
    also = Elicitation(id=ElicitationId("q3"), body="Which colour?")
    session = after(
        OPENED,
        Asked(WHICH),
        AnswerGiven(WHICH.id, EVE, "Archived"),
        Asked(also),
        Noted(EntryKey("t"), Thought(body="Still waiting.")),
        TurnResumed(2),
        AnswerGiven(also.id, ANN, "red"),
    )
    told = session.given[-1].text
    assert told.index("The answer of Eve: Archived") < told.index("The answer of Ann: red")


def test_the_services_own_question_is_asked_again_under_the_same_id() -> None:
    session = after(OPENED, Asked(WHERE), AgentGone())
    assert (session.questions, session.orphaned) == ((WHERE,), False)
    session, effects = step(session, AnswerGiven(WHERE.id, EVE, "acme/shop"))
    assert Resolve(WHERE.id, "acme/shop") in effects
    assert session.given == OPENED.given


# Any order of events, nonsense included.

KEYS = st.sampled_from(["m1", "m2", "m3", "m4"])
GIVEN = st.builds(
    Given,
    KEYS,
    st.sampled_from([ANN, EVE]),
    st.text(max_size=8),
    st.none() | st.just(MessageRef(THREAD, "1")),
)
QUESTIONS = st.sampled_from([WHICH, WHERE])
ENTRIES: st.SearchStrategy[Entry] = st.sampled_from(
    [Thought(body="Hm."), Thought(body="Hm?", ephemeral=True), BUSY, Unblocked(code=Blocker.MODEL_BUSY)]
)
TERMINALS: st.SearchStrategy[Response | Error] = st.sampled_from(
    [Response(body="Fixed."), Error(code=Blocker.AGENT_FAILED, body="No.")]
)


@st.composite
def closes(draw: st.DrawFn) -> TurnClosed:
    outcome = draw(st.sampled_from(Outcome))
    return TurnClosed(terminal=draw(TERMINALS), outcome=outcome, at=draw(st.floats(0, 1e6)))


def events_in_any_order() -> st.SearchStrategy[list[SessionEvent]]:
    authors = st.sampled_from([ANN, EVE])
    opened = st.builds(
        lambda turn, given, at: TurnOpened(turn=TurnId(f"t{turn}"), given=tuple(given), at=at),
        st.integers(1, 4),
        st.lists(GIVEN, max_size=3),
        st.floats(0, 1e6),
    )
    one: st.SearchStrategy[SessionEvent] = st.one_of(
        opened,
        st.builds(TurnResumed, st.integers(1, 5)),
        st.just(AgentGone()),
        st.builds(Prompted, GIVEN),
        st.builds(Withdrawn, KEYS),
        st.builds(lambda keys: HandedOver(tuple(keys)), st.lists(KEYS, min_size=1, max_size=3)),
        st.builds(lambda n, entry: Noted(EntryKey(f"note/{n}"), entry), st.integers(1, 20), ENTRIES),
        st.builds(Asked, QUESTIONS),
        st.builds(lambda q, by, text: AnswerGiven(q.id, by, text), QUESTIONS, authors, st.text(max_size=5)),
        st.builds(StopRequested, authors),
        closes(),
    )
    return st.lists(one, max_size=40)


@dataclass
class Played:
    """What a run of events left: the sessions between them, and the effects of each."""

    sessions: list[Session] = field(default_factory=lambda: [Session()])
    effects: list[tuple[Effect, ...]] = field(default_factory=list)

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    @property
    def appended(self) -> list[Append]:
        return [one for each in self.effects for one in each if isinstance(one, Append)]


def play(events: list[SessionEvent]) -> Played:
    """Turns are named anew as they open, as the service does: no id comes twice."""
    played = Played()
    for number, event in enumerate(events):
        if isinstance(event, TurnOpened):
            event = replace(event, turn=TurnId(f"turn{number}"))
        session, effects = step(played.session, event)
        played.sessions.append(session)
        played.effects.append(effects)
    return played


@given(events_in_any_order())
def test_turns_never_overlap(events: list[SessionEvent]) -> None:
    open_turn: TurnId | None = None
    for append in play(events).appended:
        match append.entry:
            case TurnStarted(turn=turn):
                assert open_turn is None
                open_turn = turn
            case TurnEnded(turn=turn):
                assert turn == open_turn
                open_turn = None
            case _:
                pass


@given(events_in_any_order())
def test_every_closed_turn_has_one_terminal_activity_right_before_its_end(events: list[SessionEvent]) -> None:
    played = play(events)
    log = [one for one in played.appended if not isinstance(one.entry, FateChanged)]
    for place, append in enumerate(log):
        if isinstance(append.entry, TurnEnded):
            assert isinstance(log[place - 1].entry, TERMINAL)
            assert log[place - 1].key == f"{append.entry.turn}/end"
    ends = [one for one in log if isinstance(one.entry, TERMINAL)]
    starts = [one for one in log if isinstance(one.entry, TurnStarted)]
    assert len(ends) == len(starts) - (played.session.turn is not None)


@given(events_in_any_order())
def test_nothing_of_a_turn_follows_its_end(events: list[SessionEvent]) -> None:
    over: set[str] = set()
    turn_is_open = False
    for append in play(events).appended:
        turn = append.key.partition("/")[0]
        assert turn not in over
        match append.entry:
            case TurnStarted():
                turn_is_open = True
            case TurnEnded():
                over.add(turn)
                turn_is_open = False
            case FateChanged(fate=Fate.DONE):
                pass
            case _:
                assert turn_is_open, f"{append.key} outside of a turn"


@given(events_in_any_order())
def test_a_stop_ends_in_one_closing_activity_and_lets_nothing_else_through(
    events: list[SessionEvent],
) -> None:
    played = play(events)
    for before, after_it, effects in zip(played.sessions, played.sessions[1:], played.effects, strict=False):
        if before.stopping is None:
            continue
        terminals = [one for one in effects if isinstance(one, Append) and isinstance(one.entry, TERMINAL)]
        if after_it.turn is None:
            assert len(terminals) == 1
        else:
            assert not [one for one in effects if not isinstance(one, Append | Unblocked)]
            assert [
                one for one in effects if isinstance(one, Append) and not isinstance(one.entry, Unblocked)
            ] == []
    closed, effects = step(played.session, DONE)
    if played.session.stopping is not None:
        assert closed == Session(status=Status.COMPLETE)
        assert [one.key for one in effects if isinstance(one, Append)].count(
            EntryKey(f"{played.session.turn}/end")
        ) == 1


@given(events_in_any_order(), GIVEN)
def test_a_prompt_while_stopping_stays_for_later(events: list[SessionEvent], said: Given) -> None:
    session = play([OPENED, *events, StopRequested(ANN)]).session
    if session.turn is not None:
        assert step(session, Prompted(said)) == (session, ())


@given(events_in_any_order())
def test_a_question_is_answered_at_most_once_for_each_time_it_was_asked(events: list[SessionEvent]) -> None:
    open_questions: set[ElicitationId] = set()
    played = play(events)
    for before, effects in zip(played.sessions, played.effects, strict=False):
        open_questions = {question.id for question in before.questions}
        for one in effects:
            if isinstance(one, Resolve):
                assert one.question in open_questions
                open_questions.remove(one.question)


@given(events_in_any_order())
def test_one_key_names_one_fact(events: list[SessionEvent]) -> None:
    played = play(events)
    for effects in played.effects:
        keys = [one.key for one in effects if isinstance(one, Append) and isinstance(one.entry, Unblocked)]
        assert len(keys) == len(set(keys))
    ends = [one.key for one in played.appended if isinstance(one.entry, (TurnStarted, TurnEnded, *TERMINAL))]
    assert len(ends) == len(set(ends))


@given(events_in_any_order())
def test_between_turns_a_session_holds_nothing_but_its_status(events: list[SessionEvent]) -> None:
    for session in play(events).sessions:
        if session.turn is None:
            assert session == Session(status=session.status)


@given(events_in_any_order())
def test_a_session_survives_the_store(events: list[SessionEvent]) -> None:
    for session in play(events).sessions:
        assert load_session(dump_session(session)) == session


@given(events_in_any_order())
def test_entries_survive_the_store(events: list[SessionEvent]) -> None:
    for append in play(events).appended:
        assert load_entry(dump_entry(append.entry)) == append.entry


def test_a_session_of_an_earlier_release_is_read() -> None:
    stored = dump_session(after(OPENED))
    del stored["blocked"]
    assert load_session(stored) == after(OPENED)
