"""Sessions, their threads, inbox and log: every change is one transaction, every append is fenced."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import Answered, Entry, Fate, FateChanged, Logged, dump_entry, load_entry
from core.errors import Fenced
from core.events import Incoming, Said, SessionOpened
from core.ids import ElicitationId, EntryKey, IssueRef, SessionId, ThreadRef, TurnId
from core.intake import Waiting, as_heard, dump_incoming, is_outdated, load_incoming
from core.ports import Receipt, TrackedIssue
from core.session import (
    Append,
    Effect,
    Session,
    SessionEvent,
    StopRequested,
    dump_session,
    load_session,
    step,
)
from core.store.database import Database
from core.store.mirroring import bind
from core.store.places import asking, awaits, heard_of, is_thread, session_at
from core.store.tables import bindings, events, inbox, sessions, threads

Enqueue = Callable[[sa.Connection, SessionId, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A session as stored."""

    id: SessionId
    epoch: int
    session: Session
    issue: TrackedIssue | None
    issue_id: str | None
    linear_pending_at: float | None
    linear_session_id: str | None
    repository: str | None
    route_reason: str | None
    branch: str | None
    base_sha: str | None
    agent_session: str
    model: str | None
    cost_usd: float | None
    thread: ThreadRef | None
    thread_url: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `accept` did, and for which session."""

    receipt: Receipt
    session_id: SessionId | None = None


class SessionStore:
    """The sessions of this installation.

    Args:
        now: Seconds since the epoch.
        redact: Takes secrets out of a text; nothing gets into the log, and so to any surface, without it.
    """

    def __init__(self, database: Database, *, now: Callable[[], float], redact: Callable[[str], str]) -> None:
        self._database = database
        self._now = now
        self._redact = redact

    async def accept(self, incoming: Incoming, enqueue: Enqueue, *, to: SessionId | None = None) -> Accepted:
        """Store an event and queue its turn, in one transaction.

        Args:
            to: The session that it is for; None for the one at the event's place.

        Raises:
            StoreUnavailable: Nothing was stored.
        """
        if to is None and not incoming.opens and not await self._known(incoming):
            return Accepted(Receipt.IGNORED)
        try:
            return await self._store(incoming, enqueue, to)
        except sa.exc.IntegrityError:
            # At the same moment another process took in the same event, or began the same thread.
            return await self._store(incoming, enqueue, to)

    async def at_work_on(self, issue: IssueRef, *, since: float) -> list[SessionId]:
        """Sessions on this issue whose open turn, or a message that waits, is no newer than `since`."""
        async with self._database.read() as connection:
            untaken = sa.and_(
                inbox.c.session_id == sessions.c.id, inbox.c.taken_by.is_(None), inbox.c.at <= since
            )
            waits = sa.exists(sa.select(inbox.c.seq).where(untaken)).label("waits")
            on_it = sa.select(sessions.c.id, sessions.c.state, waits).where(sessions.c.issue_id == issue.id)
            rows = (await connection.execute(on_it)).all()
        return [SessionId(row.id) for row in rows if row.waits or _worked(load_session(row.state), since)]

    async def _store(self, incoming: Incoming, enqueue: Enqueue, to: SessionId | None) -> Accepted:
        async with self._database.write() as connection:
            return await self._accept(connection, incoming, enqueue, to)

    async def _known(self, incoming: Incoming) -> bool:
        # Channels are full of messages that concern nobody here: look without taking the write lock.
        async with self._database.read() as connection:
            return await session_at(connection, incoming) is not None

    async def _accept(
        self, connection: AsyncConnection, incoming: Incoming, enqueue: Enqueue, to: SessionId | None
    ) -> Accepted:
        known = await connection.scalar(sa.select(inbox.c.session_id).where(inbox.c.dedupe == incoming.key))
        if known is not None:
            return Accepted(Receipt.DUPLICATE, SessionId(known))
        session_id = to or await session_at(connection, incoming)
        if isinstance(incoming.event, SessionOpened) and session_id is not None:
            # Of several that ask at this moment, the answers of their own calls tell which one is whose.
            _, certain = await asking(connection, incoming.event)
            if certain:
                await self._adopt(connection, session_id, incoming.event)
            return Accepted(Receipt.DUPLICATE, session_id)
        if not await awaits(connection, session_id, incoming):
            return Accepted(Receipt.IGNORED, session_id)
        before = await heard_of(connection, session_id, incoming)
        if is_outdated(incoming, before):
            return Accepted(Receipt.DUPLICATE, session_id)
        incoming = as_heard(incoming, before)
        if session_id is None:
            session_id = await self._create(connection, incoming)
        await self.put(connection, session_id, incoming, enqueue)
        return Accepted(Receipt.ACCEPTED, session_id)

    async def put(
        self, connection: AsyncConnection, session_id: SessionId, incoming: Incoming, enqueue: Enqueue
    ) -> None:
        """The event goes into the session's inbox, its message shows that, and its turn is queued.

        In the caller's transaction; raises `sqlalchemy.exc.IntegrityError` if its key is there already.
        """
        raised = (
            sa.update(sessions).where(sessions.c.id == session_id).values(next_seq=sessions.c.next_seq + 1)
        )
        seq = (await connection.execute(raised.returning(sessions.c.next_seq))).scalar_one() - 1
        row = {"session_id": session_id, "seq": seq, "dedupe": incoming.key, "at": self._now()}
        await connection.execute(sa.insert(inbox).values(**row, body=dump_incoming(incoming)))
        if incoming.message and isinstance(incoming.event, Said):
            seen = FateChanged(message=incoming.message, fate=Fate.SEEN)
            await self.append(connection, session_id, [Append(EntryKey(f"fate/{incoming.key}/seen"), seen)])
        await connection.run_sync(lambda sync: enqueue(sync, session_id, seq))

    async def _insert_session(self, connection: AsyncConnection, incoming: Incoming) -> SessionId:
        session_id = SessionId(str(uuid4()))
        created = sa.insert(sessions).values(
            id=session_id,
            state=dump_session(Session()),
            agent_session=str(uuid4()),
            created_by=[incoming.author.surface, incoming.author.id],
            created_at=self._now(),
        )
        await connection.execute(created)
        return session_id

    async def _create(self, connection: AsyncConnection, incoming: Incoming) -> SessionId:
        session_id = await self._insert_session(connection, incoming)
        match incoming.place, incoming.event:
            case ThreadRef() as thread, _:
                await self._bind_thread(connection, session_id, thread)
            case str(linear_session), SessionOpened(issue=issue):
                owner = {"linear_session_id": linear_session, "issue_id": issue}
                await connection.execute(sa.update(sessions).where(sessions.c.id == session_id).values(owner))
                await bind(connection, session_id, sink="linear", target=linear_session, install="linear")
            case _:
                raise ValueError(f"nothing can start at {incoming.place!r}")
        return session_id

    async def _bind_thread(
        self, connection: AsyncConnection, session_id: SessionId, thread: ThreadRef
    ) -> None:
        row = {
            "surface": thread.surface,
            "install": thread.install,
            "conversation": thread.conversation,
            "root": thread.root,
        }
        await connection.execute(sa.insert(threads).values(**row, session_id=session_id))
        await bind(connection, session_id, sink=thread.surface, target=str(thread), install=thread.install)

    async def _adopt(self, connection: AsyncConnection, session_id: SessionId, opened: SessionOpened) -> None:
        mine = sa.and_(sessions.c.id == session_id, sessions.c.linear_session_id.is_(None))
        await connection.execute(sa.update(sessions).where(mine).values(linear_session_id=opened.session))
        await bind(connection, session_id, sink="linear", target=opened.session, install="linear")

    async def follow(self, thread: ThreadRef, identifier: str) -> SessionId | None:
        """Show the newest session on this issue in `thread` from its present turn on, if there is one."""
        named = sessions.c.issue["identifier"].as_string() == identifier
        newest = sa.select(sessions.c.id).where(named).order_by(sessions.c.created_at.desc()).limit(1)
        async with self._database.write() as connection:
            found = await connection.scalar(newest)
            if found is None:
                return None
            session_id = SessionId(found)
            await self._move_thread(connection, thread, session_id)
            began = await connection.scalar(
                sa.select(sa.func.max(events.c.n)).where(
                    events.c.session_id == session_id, events.c.body["kind"].as_string() == "turnStarted"
                )
            )
            shown = bindings.c.target == str(thread), bindings.c.session_id == session_id
            await connection.execute(
                sa.update(bindings).where(*shown).values(cursor=max(0, (began or 1) - 1))
            )
        return session_id

    async def start_over(self, incoming: Incoming, text: str, enqueue: Enqueue) -> SessionId | None:
        """Give the thread of `incoming` a new session that begins with `text`; None where there is no thread.

        Done again after a crash, it finds the session it made.
        """
        if not isinstance(incoming.place, ThreadRef):
            return None
        renewed = replace(incoming, key=f"{incoming.key}/new", event=Said(text))
        async with self._database.write() as connection:
            made = sa.select(inbox.c.session_id).where(inbox.c.dedupe == renewed.key)
            if (known := await connection.scalar(made)) is not None:
                return SessionId(known)
            session_id = await self._insert_session(connection, renewed)
            await self._move_thread(connection, incoming.place, session_id)
            await self.put(connection, session_id, renewed, enqueue)
        return session_id

    async def _move_thread(
        self, connection: AsyncConnection, thread: ThreadRef, session_id: SessionId
    ) -> None:
        here = is_thread(thread)
        await connection.execute(sa.update(threads).where(here).values(session_id=session_id))
        await bind(connection, session_id, sink=thread.surface, target=str(thread), install=thread.install)

    async def begin_attempt(self, session_id: SessionId, holder: str) -> Record:
        """Fence off every earlier attempt and return the session as it stands now."""
        async with self._database.write() as connection:
            raised = sa.update(sessions).where(sessions.c.id == session_id)
            await connection.execute(raised.values(epoch=sessions.c.epoch + 1, holder=holder))
            return await _record(connection, session_id)

    async def load(self, session_id: SessionId) -> Record:
        """The session as it stands now."""
        async with self._database.read() as connection:
            return await _record(connection, session_id)

    async def open_sessions(self) -> list[SessionId]:
        """Sessions that worked or waited for somebody when the service last stopped."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(sessions.c.id, sessions.c.state))
            return [SessionId(row.id) for row in rows if load_session(row.state).turn is not None]

    async def waiting(self, session_id: SessionId) -> list[Waiting]:
        """What nobody has taken yet, in order of arrival."""
        async with self._database.read() as connection:
            untaken = sa.select(inbox.c.seq, inbox.c.body).where(
                inbox.c.session_id == session_id, inbox.c.taken_by.is_(None)
            )
            rows = await connection.execute(untaken.order_by(inbox.c.seq))
            return [Waiting(row.seq, load_incoming(row.body)) for row in rows]

    async def apply(
        self,
        session_id: SessionId,
        *happened: SessionEvent,
        epoch: int | None,
        take: Sequence[int] = (),
        by: TurnId | None = None,
    ) -> tuple[Effect, ...]:
        """Step the session and log what follows; the returned effects are the caller's to perform.

        Args:
            epoch: The attempt on whose behalf this happens; None for what people do.
            take: Inbox rows that this uses up. A prompt without effect stays for the next turn.
            by: The turn that takes them.

        Raises:
            Fenced: A newer attempt owns the session.
        """
        async with self._database.write() as connection:
            record = await _record(connection, session_id)
            if epoch is not None and record.epoch != epoch:
                raise Fenced(f"attempt {epoch} of {session_id} was overtaken by {record.epoch}")
            session, effects = record.session, list[Effect]()
            for event in happened:
                session, following = step(session, event)
                effects.extend(following)
            if session != record.session:
                new = sa.update(sessions).where(sessions.c.id == session_id)
                await connection.execute(new.values(state=dump_session(session)))
            await self.append(connection, session_id, [one for one in effects if isinstance(one, Append)])
            if take and (effects or any(isinstance(event, StopRequested) for event in happened)):
                await _take(connection, session_id, take, by)
        return tuple(effects)

    async def take(self, session_id: SessionId, seqs: Sequence[int], by: TurnId) -> None:
        """Use up inbox rows that need nothing more."""
        async with self._database.write() as connection:
            await _take(connection, session_id, seqs, by)

    async def say(self, session_id: SessionId, key: EntryKey, entry: Entry) -> None:
        """Log something that belongs to no attempt at a turn."""
        async with self._database.write() as connection:
            await self.append(connection, session_id, [Append(key, entry)])

    async def update(self, session_id: SessionId, *, epoch: int, **columns: Any) -> None:
        """Remember facts about the session.

        Raises:
            Fenced: A newer attempt owns the session.
        """
        async with self._database.write() as connection:
            mine = sa.and_(sessions.c.id == session_id, sessions.c.epoch == epoch)
            stored = {
                name: asdict(value) if isinstance(value, TrackedIssue) else value
                for name, value in columns.items()
            }
            changed = await connection.execute(sa.update(sessions).where(mine).values(**stored))
            if changed.rowcount == 0:
                raise Fenced(f"attempt {epoch} of {session_id} was overtaken")
            if linear_session := columns.get("linear_session_id"):
                await bind(connection, session_id, sink="linear", target=linear_session, install="linear")

    async def logged(self, session_id: SessionId, key: EntryKey) -> bool:
        """Whether the log has an entry with this key."""
        async with self._database.read() as connection:
            return await _has(connection, session_id, key)

    async def is_shown(self, session_id: SessionId, sink: str, key: EntryKey) -> bool:
        """Whether people see the entry with this key there, or never will."""
        async with self._database.read() as connection:
            entry = sa.select(events.c.n).where(events.c.session_id == session_id, events.c.key == key)
            n = await connection.scalar(entry)
            there = sa.and_(bindings.c.session_id == session_id, bindings.c.sink == sink)
            behind = sa.select(bindings.c.target).where(
                there, bindings.c.cursor < (n or 0), bindings.c.suppressed.is_(None)
            )
            return await connection.scalar(behind) is None

    async def answer_to(self, session_id: SessionId, question: ElicitationId) -> str | None:
        """What people answered to this question, if they did."""
        async with self._database.read() as connection:
            key = EntryKey(f"answered/{question}")
            found = sa.select(events.c.body).where(events.c.session_id == session_id, events.c.key == key)
            body = await connection.scalar(found)
        entry = load_entry(body) if body else None
        return entry.answer if isinstance(entry, Answered) else None

    async def log(self, session_id: SessionId, *, after: int = 0) -> list[Logged]:
        """The log from entry `after` + 1 on."""
        async with self._database.read() as connection:
            newer = sa.select(events).where(events.c.session_id == session_id, events.c.n > after)
            rows = await connection.execute(newer.order_by(events.c.n))
            return [
                Logged(
                    row.n,
                    EntryKey(row.key),
                    load_entry(row.body),
                    datetime.fromtimestamp(row.at, UTC),
                    row.origin,
                )
                for row in rows
            ]

    async def append(
        self, connection: AsyncConnection, session_id: SessionId, appends: Sequence[Append]
    ) -> None:
        """Log each of these whose key is new, in the caller's transaction."""
        for append in appends:
            if await _has(connection, session_id, append.key):
                continue
            raised = sa.update(sessions).where(sessions.c.id == session_id).values(head=sessions.c.head + 1)
            place = (await connection.execute(raised.returning(sessions.c.head, sessions.c.epoch))).one()
            row = {"session_id": session_id, "n": place.head, "key": append.key, "epoch": place.epoch}
            row |= {
                "body": _cleaned(dump_entry(append.entry), self._redact),
                "origin": append.origin,
                "at": self._now(),
            }
            await connection.execute(sa.insert(events).values(row))


def _cleaned(data: object, redact: Callable[[str], str]) -> object:
    match data:
        case str():
            return redact(data)
        case dict():
            return {name: _cleaned(value, redact) for name, value in data.items()}
        case list():
            return [_cleaned(value, redact) for value in data]
        case _:
            return data


async def _has(connection: AsyncConnection, session_id: SessionId, key: EntryKey) -> bool:
    found = sa.select(events.c.n).where(events.c.session_id == session_id, events.c.key == key)
    return await connection.scalar(found) is not None


async def _take(
    connection: AsyncConnection, session_id: SessionId, seqs: Sequence[int], by: TurnId | None
) -> None:
    rows = sa.update(inbox).where(inbox.c.session_id == session_id, inbox.c.seq.in_(seqs))
    await connection.execute(rows.where(inbox.c.taken_by.is_(None)).values(taken_by=by))


def _worked(session: Session, since: float) -> bool:
    return session.turn is not None and session.started_at <= since


async def _record(connection: AsyncConnection, session_id: SessionId) -> Record:
    row = (await connection.execute(sa.select(sessions).where(sessions.c.id == session_id))).one()
    where = sa.select(threads).where(threads.c.session_id == session_id).order_by(threads.c.id).limit(1)
    thread = (await connection.execute(where)).one_or_none()
    return Record(
        id=session_id,
        epoch=row.epoch,
        session=load_session(row.state),
        issue=TrackedIssue(**row.issue) if row.issue else None,
        issue_id=row.issue_id,
        linear_pending_at=row.linear_pending_at,
        linear_session_id=row.linear_session_id,
        repository=row.repository,
        route_reason=row.route_reason,
        branch=row.branch,
        base_sha=row.base_sha,
        agent_session=row.agent_session,
        model=row.model,
        cost_usd=row.cost_usd,
        thread=ThreadRef(thread.surface, thread.install, thread.conversation, thread.root)
        if thread
        else None,
        thread_url=row.thread_url,
    )
