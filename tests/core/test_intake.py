"""What messages mean, as tables."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.activities import PLAN_APPROVED, Author, Elicitation, Option
from core.events import (
    Attachment,
    Chosen,
    Deleted,
    Edited,
    Incoming,
    IncomingEvent,
    Said,
    SessionOpened,
    StopAsked,
)
from core.ids import ElicitationId, IssueRef, MessageRef, ThreadRef, TurnId
from core.intake import (
    Options,
    Waiting,
    as_heard,
    dump_incoming,
    fold,
    for_one_turn,
    given_of,
    is_awaited,
    is_outdated,
    load_incoming,
    meaning,
    options_of,
    read_answer,
    withdrawn,
    without_options,
)
from core.session import AnswerGiven, Given, Prompted, Session, SessionEvent, StopRequested, Withdrawn

ANN = Author("slack", "T1/UANN", "Ann")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
QUESTION = Elicitation(
    id=ElicitationId("q1"),
    body="Which wins?",
    options=(Option("1", "Archived wins"), Option("2", "Hidden wins")),
)
OPENED = SessionOpened("as1", "i1", prompt_context="<issue/>", text="Search is broken", delegated=True)
ASKING = Session(turn=TurnId("t1"), questions=(QUESTION,))


def message(id: str) -> MessageRef:
    return MessageRef(THREAD, id)


def incoming(event: IncomingEvent, id: str = "1", *, author: Author = ANN) -> Incoming:
    return Incoming(key=f"m{id}", place=THREAD, event=event, author=author, message=message(id))


def waiting(*events: IncomingEvent) -> list[Waiting]:
    """Rows 1, 2, ... with these events, each of them message m<seq>."""
    return [Waiting(seq, incoming(event, str(seq))) for seq, event in enumerate(events, 1)]


@pytest.mark.parametrize(
    ("event", "session", "expected"),
    [
        (StopAsked(), Session(), StopRequested(ANN)),
        (StopAsked("Eve moved ENG-1 to Done", 1.0), ASKING, StopRequested(ANN, "Eve moved ENG-1 to Done")),
        (Said("stop"), Session(), StopRequested(ANN)),
        (Said("Please stop it now!"), ASKING, StopRequested(ANN)),
        (Said("stop using tabs"), Session(), Prompted(Given("m1", ANN, "stop using tabs", message("1")))),
        (Said("fix it"), Session(), Prompted(Given("m1", ANN, "fix it", message("1")))),
        (Said("2"), ASKING, AnswerGiven(QUESTION.id, ANN, "Hidden wins")),
        (Said("neither"), ASKING, AnswerGiven(QUESTION.id, ANN, "neither")),
        (Chosen(QUESTION.id, "1"), ASKING, AnswerGiven(QUESTION.id, ANN, "Archived wins")),
        (Chosen(QUESTION.id, "1"), Session(), Prompted(Given("m1", ANN, "1", message("1")))),
        (Deleted(message("1")), ASKING, None),
        (
            Edited(message("9"), "with tests"),
            ASKING,
            Prompted(
                Given("m1", ANN, "Correction of my earlier message, it now reads: with tests", message("1"))
            ),
        ),
        (
            OPENED,
            Session(),
            Prompted(Given("m1", ANN, "Search is broken", message("1"), OPENED)),
        ),
    ],
)
def test_an_event_means_one_thing(
    event: IncomingEvent, session: Session, expected: SessionEvent | None
) -> None:
    assert meaning(incoming(event), session) == expected


def test_the_oldest_question_gets_the_plain_reply() -> None:
    newer = replace(QUESTION, id=ElicitationId("q2"))
    session = replace(ASKING, questions=(QUESTION, newer))
    assert meaning(incoming(Said("1")), session) == AnswerGiven(QUESTION.id, ANN, "Archived wins")


def test_what_cannot_be_seen_is_said() -> None:
    said = Said(
        "see the screenshot",
        (
            Attachment("a.png", "image/png", "https://x.test/a", "the app lacks files:read"),
            Attachment("b.txt", "text/plain", ""),
            Attachment("c.log", "text/plain", "https://x.test/c"),
        ),
    )
    given = given_of(incoming(said))
    assert given.text == (
        "see the screenshot\n(I could not see a.png: the app lacks files:read.)"
        "\n(I could not see b.txt: I cannot read files of a chat.)"
        "\n(attached: c.log)"
    )
    assert [one.name for one in given.files] == ["c.log"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("1", "Archived wins"),
        (" 2. ", "Hidden wins"),
        ("*2*", "Hidden wins"),
        ("hidden WINS", "Hidden wins"),
        ("Archived wins!", "Archived wins"),
        ("3", "3"),
        ("0", "0"),
        ("²", "²"),
        ("both, please", "both, please"),
        ("", ""),
    ],
)
def test_an_answer_is_read_leniently(said: str, answer: str) -> None:
    assert read_answer(QUESTION, said) == answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("1, 2", "Archived wins, Hidden wins"),
        ("hidden wins and 1", "Hidden wins, Archived wins"),
        ("2; 2", "Hidden wins"),
        ("1", "Archived wins"),
        ("1, but only today", "1, but only today"),
    ],
)
def test_several_options_may_be_named_where_several_count(said: str, answer: str) -> None:
    assert read_answer(replace(QUESTION, multiple=True), said) == answer


@pytest.mark.parametrize("said", ["yes", "OK", "lgtm", "go ahead please", "Yes, go ahead!", "approved"])
def test_a_plan_is_agreed_to_in_words(said: str) -> None:
    plan = replace(QUESTION, options=(Option(PLAN_APPROVED, "Go ahead"), Option("change", "Change it")))
    assert read_answer(plan, said) == "Go ahead"
    assert read_answer(plan, f"{said} but not on Friday") != "Go ahead"
    assert read_answer(QUESTION, said) == said


@given(st.text())
def test_any_answer_is_an_option_or_what_was_said(said: str) -> None:
    assert read_answer(QUESTION, said) in {"Archived wins", "Hidden wins", said.strip()}


@pytest.mark.parametrize(
    ("text", "options", "rest"),
    [
        ("fix it repo=acme/shop", Options(repo="acme/shop"), "fix it"),
        ("repo:shop branch=fix/search-1 do it", Options(repo="shop", branch="fix/search-1"), "do it"),
        ("model=opus fix model=sonnet it", Options(model="sonnet"), "fix it"),
        ("REPO=acme/shop", Options(repo="acme/shop"), ""),
        ("see https://x.test/?repo=acme/shop", Options(), "see https://x.test/?repo=acme/shop"),
        ("why is norepo=x here", Options(), "why is norepo=x here"),
        ("repo=acme/shop, please", Options(), "repo=acme/shop, please"),
        ("nothing", Options(), "nothing"),
    ],
)
def test_options_are_read_and_left_out(text: str, options: Options, rest: str) -> None:
    assert options_of(text) == options
    assert without_options(text) == rest


def test_without_options_keeps_lines_and_indentation_apart_from_double_spaces() -> None:
    assert without_options("fix\n\nrepo=a/b\n- one") == "fix\n\n\n- one"


def test_an_edit_rewords_the_message_that_waits_and_is_used_up_with_it() -> None:
    rows = waiting(Said("fix serch"), Said("and docs"), Edited(message("1"), "fix search"))
    assert fold(rows) == [
        Waiting(1, incoming(Said("fix search"), "1"), folded=(3,)),
        Waiting(2, incoming(Said("and docs"), "2")),
    ]
    assert withdrawn(rows, fold(rows)) == []


def test_an_edit_keeps_the_attachments() -> None:
    file = Attachment("a.txt", "text/plain", "https://x.test/a")
    (row,) = fold(waiting(Said("one", (file,)), Edited(message("1"), "two")))
    assert row.incoming.event == Said("two", (file,))


def test_an_edit_of_what_was_taken_stays() -> None:
    rows = waiting(Edited(message("gone"), "with tests"))
    assert fold(rows) == rows


def test_an_edit_that_mentions_us_is_said_now_if_nobody_heard_the_message() -> None:
    file = Attachment("a.txt", "text/plain", "https://x.test/a")
    edit = replace(incoming(Edited(message("1"), "fix search", (file,)), "1"), opens=True)
    heard = [incoming(Said("fix serch"), "1")]
    assert as_heard(edit, []).event == Said("fix search", (file,))
    assert as_heard(edit, heard) == edit
    assert as_heard(replace(edit, opens=False), []) == replace(edit, opens=False)


@pytest.mark.parametrize("word", ["help", "status", "why?", "stop", "aside: lunch?", "follow ENG-1"])
@pytest.mark.parametrize("opens", [False, True])
def test_an_edit_of_a_word_for_us_corrects_nothing(word: str, *, opens: bool) -> None:
    edit = replace(incoming(Edited(message("1"), "fix search"), "1"), opens=opens)
    asked = incoming(Said(word), "1")
    assert as_heard(edit, [asked]).event == Said("fix search")
    # From then on the agent has read something.
    assert as_heard(edit, [asked, incoming(Said("fix serch"), "1")]) == edit


@pytest.mark.parametrize("work", ["new fix serch", "fix serch", "fix it", "stop the timer from leaking"])
def test_an_edit_of_what_the_agent_was_asked_is_a_correction(work: str) -> None:
    edit = replace(incoming(Edited(message("1"), "fix search"), "1"), opens=True)
    assert as_heard(edit, [incoming(Said(work), "1")]) == edit


@pytest.mark.parametrize(
    ("session", "waits", "awaited"),
    [
        (Session(), False, False),
        (Session(), True, True),
        (Session(turn=TurnId("t1")), False, True),
        (ASKING, False, True),
        (Session(questions=(QUESTION,)), False, True),
    ],
    ids=["over", "about to begin", "at work", "asking", "left with a question"],
)
@pytest.mark.parametrize("event", [Said("lunch?"), Edited(message("1"), "lunch at one?"), Said("stop")])
def test_what_counts_if_it_is_awaited_does_so_while_a_turn_is_on_or_a_question_is_open(
    event: IncomingEvent, session: Session, *, waits: bool, awaited: bool
) -> None:
    aside = replace(incoming(event), if_awaited=True)
    assert is_awaited(aside, session, waits=waits) is awaited
    assert is_awaited(incoming(event), session, waits=waits)


def test_a_message_that_comes_after_its_own_edit_is_outdated() -> None:
    late = incoming(Said("fix serch"), "1")
    edit = replace(late, key=f"{late.key}/edit/2", event=Edited(message("1"), "fix search"))
    assert is_outdated(late, [edit])
    assert not is_outdated(late, [])
    assert not is_outdated(edit, [edit])
    # Somebody chose the message in its menu: that is asked for anew.
    assert not is_outdated(replace(late, key=f"{late.key}/shortcut/ann"), [late, edit])


def test_a_deletion_takes_the_message_that_waits_with_it() -> None:
    rows = waiting(Said("oops"), Edited(message("1"), "ooops"), Said("fix it"), Deleted(message("1")))
    assert fold(rows) == [rows[2]]
    assert withdrawn(rows, fold(rows)) == [1, 2, 4]


def test_a_deletion_of_what_was_taken_is_left_to_the_turn_that_took_it() -> None:
    rows = waiting(Deleted(message("gone")))
    assert (fold(rows), withdrawn(rows, fold(rows))) == (rows, [])


def test_what_the_agent_does_not_have_yet_can_be_taken_back() -> None:
    taken = Given("m0", ANN, "fix it", message("9"))
    queued = Session(turn=TurnId("t1"), given=(taken,))
    (row,) = waiting(Deleted(message("9")))
    assert meaning(row.incoming, queued) == Withdrawn("m0")
    assert meaning(row.incoming, replace(queued, handed=(("m0",),))) is None


@pytest.mark.parametrize(
    ("events", "taken"),
    [
        ([Said("A"), Said("B")], 2),
        ([Said("A"), StopAsked(), Said("B")], 2),
        ([StopAsked(), Said("A"), Said("B")], 3),
        ([StopAsked(), Said("A"), Said("stop"), Said("B"), StopAsked()], 3),
        ([StopAsked(), StopAsked()], 2),
        ([], 0),
    ],
    ids=["all", "up to a stop", "an idle stop", "up to the first stop", "stops only", "nothing"],
)
def test_a_turn_takes_what_was_asked_before_it_was_called_off(
    events: list[IncomingEvent], taken: int
) -> None:
    rows = waiting(*events)
    assert for_one_turn(rows) == rows[:taken]


TEXT = st.text(max_size=20)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
AUTHORS = st.builds(Author, st.sampled_from(["slack", "teams", "linear"]), TEXT, TEXT, st.none() | TEXT)
THREADS = st.builds(ThreadRef, TEXT, TEXT, TEXT, TEXT)
MESSAGES = st.builds(MessageRef, THREADS, TEXT)
ATTACHMENTS = st.lists(st.builds(Attachment, TEXT, TEXT, TEXT, st.none() | TEXT), max_size=2).map(tuple)
EVENTS: st.SearchStrategy[IncomingEvent] = st.one_of(
    st.builds(Said, TEXT, ATTACHMENTS),
    st.builds(Edited, MESSAGES, TEXT),
    st.builds(Deleted, MESSAGES),
    st.builds(StopAsked, TEXT, st.none() | st.floats(0, 1e10)),
    st.builds(lambda id, value: Chosen(ElicitationId(id), value), TEXT, TEXT),
    st.builds(
        SessionOpened,
        session=TEXT,
        issue=st.none() | TEXT,
        external_urls=TEXTS,
        prompt_context=TEXT,
        text=TEXT,
        description=TEXT,
        previous_comments=TEXTS,
        guidance=TEXTS,
        by_person=st.booleans(),
        delegated=st.booleans(),
    ),
)
INCOMING = st.builds(
    Incoming,
    key=TEXT,
    place=THREADS | st.builds(IssueRef, TEXT) | TEXT,
    event=EVENTS,
    author=AUTHORS,
    opens=st.booleans(),
    message=st.none() | MESSAGES,
)


@given(INCOMING)
def test_an_event_survives_the_inbox(one: Incoming) -> None:
    assert load_incoming(dump_incoming(one)) == one


@given(st.lists(EVENTS, max_size=8))
def test_folding_loses_no_row(events: list[IncomingEvent]) -> None:
    rows = waiting(*events)
    held = fold(rows)
    kept = [seq for row in held for seq in row.seqs]
    assert sorted([*kept, *withdrawn(rows, held)]) == [row.seq for row in rows]
    assert [row.seq for row in held] == sorted(row.seq for row in held)
