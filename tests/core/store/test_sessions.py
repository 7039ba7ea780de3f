"""The store of sessions, on real SQLite: accepted once, fenced, redacted, and taken when it counts."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.activities import (
    Action,
    Answered,
    Author,
    Elicitation,
    Fate,
    FateChanged,
    Notice,
    Outcome,
    Prompt,
    Response,
    Thought,
    TurnStarted,
)
from core.errors import Fenced, StoreUnavailable
from core.events import Chosen, Edited, Incoming, IncomingEvent, Said, SessionOpened, StopAsked
from core.ids import ElicitationId, EntryKey, MessageRef, SessionId, ThreadRef, TurnId
from core.intake import Waiting, given_of
from core.ports import Receipt, TrackedIssue
from core.session import (
    AnswerGiven,
    Asked,
    HandedOver,
    Noted,
    Prompted,
    StopRequested,
    TurnClosed,
    TurnOpened,
)
from core.store.database import Database
from core.store.sessions import Accepted, SessionStore
from core.store.tables import bindings, metadata, ops

ANN = Author("slack", "T1/UANN", "Ann")
EVE = Author("linear", "eve", "Eve")
THREAD = ThreadRef("slack", "T1", "C1", "100.1")
ISSUE = TrackedIssue("i1", "ENG-142", "Search", "https://linear.test/ENG-142", "ann/eng-142", "ENG")
TURN = TurnId("t1")
NOW = 1_700_000_000.0


class Queue:
    """Remembers what was enqueued in transactions; `fails` breaks the next one."""

    def __init__(self) -> None:
        self.turns: list[tuple[SessionId, int]] = []
        self.fails = False

    def enqueue(self, connection: sa.Connection, session_id: SessionId, seq: int) -> None:
        assert connection.in_transaction()
        if self.fails:
            raise ConnectionError("no queue")
        self.turns.append((session_id, seq))


def redact(text: str) -> str:
    return text.replace("hunter2", "[redacted]")


def said(text: str, ts: str = "100.1", *, root: str = "100.1", opens: bool = True) -> Incoming:
    """A message in a thread of the channel."""
    thread = replace(THREAD, root=root)
    return Incoming(
        key=f"slack/T1/C1/{ts}",
        place=thread,
        event=Said(text),
        author=ANN,
        opens=opens,
        message=MessageRef(thread, ts),
    )


def edited(text: str, ts: str = "100.1", *, root: str = "100.1", opens: bool = True) -> Incoming:
    """What `said` says, changed to `text`."""
    before = said("", ts, root=root, opens=opens)
    message = MessageRef(replace(THREAD, root=root), ts)
    return replace(before, key=f"{before.key}/edit/1", event=Edited(message, text))


def in_linear(event: IncomingEvent, key: str = "linear/1", session: str = "as1") -> Incoming:
    opens = isinstance(event, SessionOpened)
    return Incoming(key=key, place=session, event=event, author=EVE, opens=opens)


def opened(session: str = "as1", issue: str | None = "i1", *urls: str) -> Incoming:
    return in_linear(SessionOpened(session, issue, urls), f"linear/session/{session}", session)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, now=lambda: NOW, redact=redact)


@pytest.fixture
def accept(store: SessionStore, queue: Queue) -> Callable[[Incoming], "asyncio.Task[Accepted]"]:
    return lambda incoming: asyncio.ensure_future(store.accept(incoming, queue.enqueue))


Accept = Callable[[Incoming], "asyncio.Task[Accepted]"]


async def session_of(accepted: "asyncio.Task[Accepted]") -> SessionId:
    done = await accepted
    assert done.session_id is not None
    return done.session_id


async def begin_turn(store: SessionStore, session: SessionId, incoming: Incoming) -> int:
    """A turn is open for the message; returns the epoch of its attempt."""
    record = await store.begin_attempt(session, "host/1")
    given = (given_of(incoming),)
    await store.apply(
        session, TurnOpened(turn=TURN, given=given, at=NOW), epoch=record.epoch, take=[1], by=TURN
    )
    return record.epoch


# Accepting.


async def test_a_mention_starts_a_session_with_its_turn_and_is_shown_as_seen(
    store: SessionStore, queue: Queue, accept: Accept
) -> None:
    mention = said("fix it")
    accepted = await accept(mention)
    assert accepted.receipt is Receipt.ACCEPTED
    assert accepted.session_id is not None
    assert queue.turns == [(accepted.session_id, 1)]
    record = await store.load(accepted.session_id)
    assert (record.thread, record.epoch, record.session.turn) == (THREAD, 0, None)
    assert await store.waiting(accepted.session_id) == [Waiting(1, mention)]
    (seen,) = await store.log(accepted.session_id)
    assert seen.entry == FateChanged(message=MessageRef(THREAD, "100.1"), fate=Fate.SEEN)


async def test_the_same_event_is_accepted_once(queue: Queue, accept: Accept) -> None:
    first = await accept(said("fix it"))
    assert await accept(said("fix it")) == replace(first, receipt=Receipt.DUPLICATE)
    assert len(queue.turns) == 1


async def test_twenty_deliveries_at_once_are_accepted_once(
    store: SessionStore, queue: Queue, accept: Accept
) -> None:
    done = await asyncio.gather(*(accept(said("fix it")) for _ in range(20)))
    receipts = [one.receipt for one in done]
    assert (receipts.count(Receipt.ACCEPTED), receipts.count(Receipt.DUPLICATE)) == (1, 19)
    (session,) = {one.session_id for one in done}
    assert session is not None
    assert queue.turns == [(session, 1)]
    assert len(await store.log(session)) == 1


async def test_twenty_messages_at_once_in_a_new_thread_are_one_session_in_order_of_arrival(
    store: SessionStore, queue: Queue, accept: Accept
) -> None:
    done = await asyncio.gather(*(accept(said(f"message {n}", f"100.{n}")) for n in range(20)))
    (session,) = {one.session_id for one in done}
    assert session is not None
    assert sorted(queue.turns) == [(session, seq) for seq in range(1, 21)]
    assert [row.seq for row in await store.waiting(session)] == list(range(1, 21))


async def test_two_processes_accept_one_event_once(url: str, store: SessionStore, queue: Queue) -> None:
    beside = Database(url)
    other = SessionStore(beside, now=lambda: NOW, redact=redact)
    done = await asyncio.gather(
        *(one.accept(said("fix it"), queue.enqueue) for one in (store, other) for _ in range(10))
    )
    assert [one.receipt for one in done].count(Receipt.ACCEPTED) == 1
    assert len({one.session_id for one in done}) == 1
    assert len(queue.turns) == 1
    await beside.close()


@pytest.mark.parametrize(
    "incoming",
    [
        said("just talking", opens=False),
        in_linear(Said("hello")),
        in_linear(StopAsked()),
        Incoming(key="click", place=THREAD, event=Chosen(ElicitationId("q"), "1"), author=ANN),
    ],
    ids=["chat", "unknown session", "stop in an unknown session", "click"],
)
async def test_what_concerns_no_session_is_ignored(incoming: Incoming, queue: Queue, accept: Accept) -> None:
    assert await accept(incoming) == Accepted(Receipt.IGNORED)
    assert queue.turns == []


async def test_a_reply_in_a_thread_of_ours_needs_no_mention(queue: Queue, accept: Accept) -> None:
    session = await session_of(accept(said("fix it")))
    reply = await accept(said("with tests", "100.2", opens=False))
    assert reply == Accepted(Receipt.ACCEPTED, session)
    assert queue.turns == [(session, 1), (session, 2)]


async def test_what_people_say_among_themselves_counts_from_the_mention_to_the_end_of_its_turn(
    store: SessionStore, queue: Queue, accept: Accept
) -> None:
    def aside(ts: str) -> Incoming:
        return replace(said("lunch, anyone?", ts, opens=False), if_awaited=True)

    assert await accept(aside("100.0")) == Accepted(Receipt.IGNORED)
    session = await session_of(accept(said("fix it")))
    assert (await accept(aside("100.2"))).receipt is Receipt.ACCEPTED
    epoch = await begin_turn(store, session, said("fix it"))
    await store.take(session, [2], TURN)
    assert (await accept(aside("100.3"))).receipt is Receipt.ACCEPTED
    await store.take(session, [3], TURN)
    closed = TurnClosed(terminal=Response(body="Fixed."), outcome=Outcome.DONE, at=NOW + 5)
    await store.apply(session, HandedOver(("slack/T1/C1/100.1",)), closed, epoch=epoch)
    assert (await accept(aside("100.4"))).receipt is Receipt.IGNORED
    assert await accept(aside("100.3")) == Accepted(Receipt.DUPLICATE, session)
    assert queue.turns == [(session, 1), (session, 2), (session, 3)]
    assert await store.waiting(session) == []


async def test_a_mention_that_an_edit_makes_starts_a_session_with_what_it_says(
    store: SessionStore, accept: Accept
) -> None:
    assert (await accept(edited("fix it", opens=False))).receipt is Receipt.IGNORED
    session = await session_of(accept(edited("fix it")))
    (row,) = await store.waiting(session)
    assert row.incoming == replace(edited("fix it"), event=Said("fix it"))
    (seen,) = await store.log(session)
    assert seen.entry == FateChanged(message=MessageRef(THREAD, "100.1"), fate=Fate.SEEN)
    # The message as it was, delivered late, and the edit once more say nothing new.
    assert (await accept(said("fix thsi"))).receipt is Receipt.DUPLICATE
    assert (await accept(edited("fix it"))).receipt is Receipt.DUPLICATE
    assert await store.waiting(session) == [row]


async def test_an_edit_of_what_was_heard_is_a_correction_with_or_without_a_mention(
    store: SessionStore, accept: Accept
) -> None:
    session = await session_of(accept(said("fix it")))
    await accept(said("with tests", "100.2", opens=False))
    for edit in (edited("fix that"), edited("with more tests", "100.2")):
        assert await session_of(accept(edit)) == session
    _, _, *edits = await store.waiting(session)
    assert [row.incoming.event for row in edits] == [
        Edited(MessageRef(THREAD, "100.1"), "fix that"),
        Edited(MessageRef(THREAD, "100.2"), "with more tests"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"root": "200.1"},
        {"conversation": "C2"},
        {"install": "T2"},
        {"surface": "teams"},
    ],
)
async def test_another_thread_is_another_session(other: dict[str, str], accept: Accept) -> None:
    first = await session_of(accept(said("fix it")))
    elsewhere = replace(said("fix that", "200.1"), place=replace(THREAD, **other))
    assert await session_of(accept(elsewhere)) != first


async def test_a_stop_reaction_finds_the_session_by_the_message_that_we_posted(
    database: Database, accept: Accept
) -> None:
    session = await session_of(accept(said("fix it")))
    async with database.write() as connection:
        posted = sa.insert(ops).values(
            id="op1",
            session_id=session,
            sink="slack",
            target=str(THREAD),
            body={},
            to_n=1,
            to_part=0,
            state="sent",
            result="100.9",
            at=NOW,
        )
        await connection.execute(posted)
    # A reaction names the message, not its thread.
    at_message = replace(THREAD, root="100.9")
    reaction = Incoming(
        key="r1", place=at_message, event=StopAsked(), author=ANN, message=MessageRef(at_message, "100.9")
    )
    assert await accept(reaction) == Accepted(Receipt.ACCEPTED, session)
    elsewhere = replace(at_message, conversation="C")  # A prefix of ours, and a channel of its own.
    assert await accept(
        replace(reaction, key="r2", place=elsewhere, message=MessageRef(elsewhere, "100.9"))
    ) == Accepted(Receipt.IGNORED)


async def test_nothing_is_stored_when_the_turn_cannot_be_queued(
    store: SessionStore, queue: Queue, accept: Accept
) -> None:
    queue.fails = True
    with pytest.raises(ConnectionError):
        await accept(said("fix it"))
    queue.fails = False
    assert (await accept(said("fix it"))).receipt is Receipt.ACCEPTED
    assert await store.open_sessions() == []


async def test_a_locked_database_accepts_nothing(
    database: Database, url: str, tmp_path: Path, queue: Queue, accept: Accept
) -> None:
    hasty = Database(url, patience_s=0.05)
    store = SessionStore(hasty, now=lambda: NOW, redact=redact)
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.accept(said("fix it"), queue.enqueue)
        other.execute("ROLLBACK")
    await hasty.close()
    assert queue.turns == []
    assert (await accept(said("fix it"))).receipt is Receipt.ACCEPTED


async def test_a_read_only_database_accepts_nothing(database: Database, tmp_path: Path, queue: Queue) -> None:
    readonly = Database(f"sqlite:///file:{tmp_path / 'app.db'}?mode=ro&uri=true")
    store = SessionStore(readonly, now=lambda: NOW, redact=redact)
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.accept(said("fix it"), queue.enqueue)
    assert queue.turns == []
    await readonly.close()


# Linear's sessions, and the echo of our own.


async def bound(database: Database, session: SessionId) -> set[tuple[str, str]]:
    async with database.read() as connection:
        rows = await connection.execute(
            sa.select(bindings.c.sink, bindings.c.target).where(bindings.c.session_id == session)
        )
        return {(row.sink, row.target) for row in rows}


async def test_a_session_that_people_open_in_linear_is_ours_to_work_on(
    database: Database, store: SessionStore, accept: Accept
) -> None:
    session = await session_of(accept(opened()))
    record = await store.load(session)
    assert (record.linear_session_id, record.issue_id, record.thread) == ("as1", "i1", None)
    assert await bound(database, session) == {("linear", "as1")}
    assert await accept(in_linear(Said("hello"))) == Accepted(Receipt.ACCEPTED, session)


async def asking(store: SessionStore, accept: Accept, ts: str = "100.1") -> tuple[SessionId, int]:
    """A session from chat that is just asking Linear for its agent session."""
    session = await session_of(accept(said("fix it", ts, root=ts)))
    epoch = (await store.begin_attempt(session, "host/1")).epoch
    await store.update(
        session,
        epoch=epoch,
        issue=ISSUE,
        issue_id="i1",
        thread_url=f"https://slack.test/p{ts}",
        linear_pending_at=NOW,
    )
    return session, epoch


@pytest.mark.parametrize("order", ["echo", "answer", "echo answer", "answer echo", "echo echo answer echo"])
async def test_the_echo_of_our_own_call_is_adopted_in_any_order(
    order: str, database: Database, store: SessionStore, queue: Queue, accept: Accept
) -> None:
    session, epoch = await asking(store, accept)
    for what in order.split():
        if what == "echo":
            assert await accept(opened()) == Accepted(Receipt.DUPLICATE, session)
        else:
            await store.update(session, epoch=epoch, linear_session_id="as1")
    assert (await store.load(session)).linear_session_id == "as1"
    assert await bound(database, session) == {("slack", str(THREAD)), ("linear", "as1")}
    assert queue.turns == [(session, 1)]


async def test_of_two_that_ask_for_one_issue_the_echo_belongs_to_the_one_whose_thread_it_links(
    store: SessionStore, accept: Accept
) -> None:
    first, _ = await asking(store, accept, "100.1")
    second, _ = await asking(store, accept, "200.1")
    assert await accept(opened("as2", "i1", "https://slack.test/p200.1")) == Accepted(
        Receipt.DUPLICATE, second
    )
    assert await accept(opened("as1", "i1", "https://slack.test/p100.1")) == Accepted(
        Receipt.DUPLICATE, first
    )


async def test_a_session_on_another_issue_is_no_echo(store: SessionStore, accept: Accept) -> None:
    session, _ = await asking(store, accept)
    other = await accept(opened("as9", "i9"))
    assert other.receipt is Receipt.ACCEPTED
    assert other.session_id != session


async def test_what_a_person_opens_while_we_ask_is_no_echo(store: SessionStore, accept: Accept) -> None:
    session, _ = await asking(store, accept)
    theirs = SessionOpened("as9", "i1", by_person=True)
    other = await accept(in_linear(theirs, "linear/session/as9", "as9"))
    assert (other.receipt, other.session_id != session) == (Receipt.ACCEPTED, True)
    assert await accept(opened("as1")) == Accepted(Receipt.DUPLICATE, session)


async def test_a_session_without_an_issue_is_no_echo(store: SessionStore, accept: Accept) -> None:
    session, _ = await asking(store, accept)
    other = await accept(opened("as9", None))
    assert (other.receipt, other.session_id != session) == (Receipt.ACCEPTED, True)


async def test_what_people_open_when_nobody_is_asking_is_no_echo(store: SessionStore, accept: Accept) -> None:
    session, epoch = await asking(store, accept)
    await store.update(session, epoch=epoch, linear_pending_at=None)
    assert (await accept(opened())).receipt is Receipt.ACCEPTED


# Attempts, and what they may still do when they are overtaken.


@pytest.fixture
async def turn(store: SessionStore, accept: Accept) -> tuple[SessionId, int]:
    """A session with an open turn, and the epoch of the attempt at it."""
    session = await session_of(accept(said("fix it")))
    return session, await begin_turn(store, session, said("fix it"))


async def test_an_attempt_sees_what_the_one_before_it_left(
    store: SessionStore, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    await store.update(session, epoch=epoch, issue=ISSUE, issue_id="i1", branch="b", cost_usd=0.5)
    record = await store.begin_attempt(session, "host/2")
    assert (record.epoch, record.session.turn) == (epoch + 1, TURN)
    assert (record.issue, record.branch, record.cost_usd) == (ISSUE, "b", 0.5)
    assert record == await store.load(session)


async def test_who_was_overtaken_changes_nothing_any_more(
    store: SessionStore, accept: Accept, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    await accept(said("more", "100.2"))
    await store.begin_attempt(session, "host/2")
    before = (await store.load(session), await store.log(session), await store.waiting(session))
    with pytest.raises(Fenced):
        await store.apply(session, Noted(EntryKey("k"), Thought(body="Hm.")), epoch=epoch, take=[2], by=TURN)
    with pytest.raises(Fenced):
        await store.update(session, epoch=epoch, branch="mine")
    assert before == (await store.load(session), await store.log(session), await store.waiting(session))


async def test_what_people_do_is_not_fenced(store: SessionStore, turn: tuple[SessionId, int]) -> None:
    session, _ = turn
    await store.begin_attempt(session, "host/2")
    assert await store.apply(session, StopRequested(ANN), epoch=None)


async def test_the_log_is_numbered_and_tells_whose_words_they_are(
    store: SessionStore, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    await store.apply(session, Noted(EntryKey("k"), Thought(body="Hm.")), epoch=epoch)
    log = await store.log(session)
    assert [one.n for one in log] == [1, 2, 3, 4]
    assert [(type(one.entry), one.origin) for one in log] == [
        (FateChanged, None),
        (TurnStarted, None),
        (Prompt, "slack"),
        (Thought, None),
    ]
    assert log[0].at.timestamp() == NOW
    assert await store.log(session, after=3) == log[3:]


async def test_a_fact_is_logged_once(store: SessionStore, turn: tuple[SessionId, int]) -> None:
    session, epoch = turn
    for body in ("first", "second"):
        await store.apply(session, Noted(EntryKey("k"), Thought(body=body)), epoch=epoch)
    assert [one.entry for one in await store.log(session, after=3)] == [Thought(body="first")]
    assert await store.logged(session, EntryKey("k"))
    assert not await store.logged(session, EntryKey("l"))


async def test_attempts_at_once_number_the_log_without_gaps(
    store: SessionStore, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    numbers = count()
    await asyncio.gather(
        *(
            store.apply(session, Noted(EntryKey(f"k{next(numbers)}"), Thought(body="Hm.")), epoch=epoch)
            for _ in range(15)
        )
    )
    assert [one.n for one in await store.log(session)] == list(range(1, 19))


async def test_no_secret_gets_into_the_log(store: SessionStore, turn: tuple[SessionId, int]) -> None:
    session, epoch = turn
    action = Action(action="Ran", parameter="login hunter2", result="hunter2: ok")
    question = Elicitation(id=ElicitationId("q1"), body="Is hunter2 right?", asked=(ANN,))
    await store.apply(session, Noted(EntryKey("k"), action), Asked(question), epoch=epoch)
    assert [one.entry for one in await store.log(session, after=3)] == [
        Action(action="Ran", parameter="login [redacted]", result="[redacted]: ok"),
        Elicitation(id=ElicitationId("q1"), body="Is [redacted] right?", asked=(ANN,)),
    ]


async def test_what_is_said_outside_of_turns_is_logged_once(store: SessionStore, accept: Accept) -> None:
    session = await session_of(accept(said("stop")))
    for _ in range(2):
        await store.say(session, EntryKey("idle/1"), Notice(body="Nothing is running here."))
    assert [one.entry for one in await store.log(session, after=1)] == [
        Notice(body="Nothing is running here.")
    ]


# Taking.


async def untaken(store: SessionStore, session: SessionId) -> list[int]:
    return [row.seq for row in await store.waiting(session)]


async def test_a_prompt_is_taken_with_its_effects(
    store: SessionStore, accept: Accept, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    more = said("more", "100.2")
    await accept(more)
    assert await untaken(store, session) == [2]
    await store.apply(session, Prompted(given_of(more)), epoch=epoch, take=[2], by=TURN)
    assert await untaken(store, session) == []


async def test_a_prompt_without_effect_stays_for_the_next_turn(
    store: SessionStore, accept: Accept, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    more = said("more", "100.2")
    await accept(more)
    await store.apply(session, StopRequested(ANN), epoch=epoch)
    assert await store.apply(session, Prompted(given_of(more)), epoch=epoch, take=[2], by=TURN) == ()
    assert await untaken(store, session) == [2]


async def test_a_second_stop_is_taken_although_it_changes_nothing(
    store: SessionStore, accept: Accept, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    await accept(said("stop", "100.2"))
    await store.apply(session, StopRequested(ANN), epoch=epoch)
    assert await store.apply(session, StopRequested(ANN), epoch=epoch, take=[2], by=TURN) == ()
    assert await untaken(store, session) == []


async def test_rows_that_need_nothing_are_used_up(store: SessionStore, accept: Accept) -> None:
    session = await session_of(accept(said("fix it")))
    await accept(said("oops", "100.2"))
    await store.take(session, [1], TURN)
    await store.take(session, [1, 2], TurnId("t2"))
    assert await untaken(store, session) == []


async def test_several_events_are_one_transaction(store: SessionStore, turn: tuple[SessionId, int]) -> None:
    session, epoch = turn
    closed = TurnClosed(terminal=Response(body="Fixed."), outcome=Outcome.DONE, at=NOW + 5)
    await store.apply(session, HandedOver(("slack/T1/C1/100.1",)), closed, epoch=epoch)
    assert (await store.load(session)).session.turn is None
    assert await store.logged(session, EntryKey("t1/ended"))


async def test_open_sessions_are_those_with_an_open_turn(
    store: SessionStore, accept: Accept, turn: tuple[SessionId, int]
) -> None:
    session, _ = turn
    await accept(said("fix that", "200.1", root="200.1"))
    assert await store.open_sessions() == [session]


async def test_an_answer_is_found_again_after_a_restart(
    store: SessionStore, turn: tuple[SessionId, int]
) -> None:
    session, epoch = turn
    question = ElicitationId("q1")
    await store.apply(session, Asked(Elicitation(id=question, body="Which?")), epoch=epoch)
    assert await store.answer_to(session, question) is None
    await store.apply(session, AnswerGiven(question, EVE, "this one"), epoch=epoch)
    assert await store.answer_to(session, question) == "this one"
    answered = (await store.log(session))[-1]
    assert (answered.entry, answered.origin) == (
        Answered(elicitation=question, by=EVE, answer="this one"),
        "linear",
    )
