"""Bindings and their calls: how far each projection of a session's log has come."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import Logged, load_entry
from core.ids import EntryKey, SessionId
from core.store.tables import bindings, events, ops

SENDING, SENT, FAILED, GAVE_UP = "sending", "sent", "failed", "gave_up"


@dataclass(frozen=True, slots=True)
class BindingKey:
    """One projection of one session: `target` is Linear's agent session, or the thread as text."""

    session: SessionId
    sink: str
    target: str


@dataclass(frozen=True, slots=True)
class Binding:
    """How far a projection has come; the columns of `core.store.tables.bindings`."""

    key: BindingKey
    install: str
    cursor: int
    part: int
    memory: Mapping[str, Any]
    suppressed: str | None
    next_at: float
    fails: int


@dataclass(frozen=True, slots=True)
class Step:
    """Where a call takes its binding: cursor and part once it is done."""

    cursor: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class StoredOp:
    """A call that was begun and whose outcome is not known."""

    id: str
    body: Mapping[str, Any]
    to: Step


@dataclass(frozen=True, slots=True)
class Progress:
    """For `why`: entries up to `shown` of `head` are shown, unless `suppressed` says why not."""

    sink: str
    target: str
    shown: int
    head: int
    suppressed: str | None


async def bind(
    connection: AsyncConnection, session: SessionId, *, sink: str, target: str, install: str
) -> None:
    """Mirror the session there, from its first entry on. Safe to repeat; changes nothing that is bound."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"session_id": session, "sink": sink, "target": target, "install": install, "memory": {}}
    await connection.execute(dialect.insert(bindings).values(values).on_conflict_do_nothing())


async def suppress(connection: AsyncConnection, key: BindingKey, reason: str) -> None:
    """Show nothing there any more; a call that was begun is given up."""
    await connection.execute(sa.update(bindings).where(_is(key)).values(suppressed=reason))
    await connection.execute(sa.update(ops).where(_of(key), ops.c.state == SENDING).values(state=GAVE_UP))


async def behind(connection: AsyncConnection) -> set[SessionId]:
    """Sessions with entries that some projection has not shown yet."""
    newer = sa.exists().where(events.c.session_id == bindings.c.session_id, events.c.n > bindings.c.cursor)
    rows = await connection.scalars(
        sa.select(bindings.c.session_id).distinct().where(bindings.c.suppressed.is_(None), newer)
    )
    return {SessionId(id) for id in rows}


async def bindings_of(connection: AsyncConnection, sessions: Collection[SessionId]) -> list[Binding]:
    """Every binding of these sessions, suppressed ones too."""
    rows = await connection.execute(sa.select(bindings).where(bindings.c.session_id.in_(sessions)))
    return [
        Binding(
            key=BindingKey(SessionId(row.session_id), row.sink, row.target),
            install=row.install,
            cursor=row.cursor,
            part=row.part,
            memory=row.memory,
            suppressed=row.suppressed,
            next_at=row.next_at,
            fails=row.fails,
        )
        for row in rows
    ]


async def entries(connection: AsyncConnection, session: SessionId, *, after: int, limit: int) -> list[Logged]:
    """The next `limit` entries after number `after`, in order."""
    query = sa.select(events).where(events.c.session_id == session, events.c.n > after)
    return _logged(await connection.execute(query.order_by(events.c.n).limit(limit)))


async def prefix(
    connection: AsyncConnection, session: SessionId, *, through: int, lasting: Collection[str]
) -> list[Logged]:
    """What the story up to `through` is made of: the current turn, and entries of `lasting` kinds before it.

    Read once, when the mirror first works on a binding: a long log is not read again for each edit.
    """
    kind = events.c.body["kind"].as_string()
    past = (events.c.session_id == session, events.c.n <= through)
    newest_turn = sa.select(sa.func.max(events.c.n)).where(*past, kind == "turnStarted").scalar_subquery()
    query = sa.select(events).where(
        *past, sa.or_(events.c.n >= sa.func.coalesce(newest_turn, 0), kind.in_(lasting))
    )
    return _logged(await connection.execute(query.order_by(events.c.n)))


async def sending(connection: AsyncConnection, key: BindingKey) -> StoredOp | None:
    """The call that was begun and not finished: after a crash nobody knows whether it got through."""
    found = await connection.execute(sa.select(ops).where(_of(key), ops.c.state == SENDING))
    row = found.one_or_none()
    return None if row is None else StoredOp(row.id, row.body, Step(row.to_n, row.to_part))


async def delivered_at(connection: AsyncConnection, key: BindingKey) -> float | None:
    """When something was last shown there (seconds); None for never."""
    newest = sa.select(sa.func.max(ops.c.at)).where(_of(key), ops.c.state == SENT)
    at: float | None = await connection.scalar(newest)
    return at


async def begin(connection: AsyncConnection, key: BindingKey, op: StoredOp, *, at: float) -> bool:
    """Write down a call before it is made; False if another one of this binding is not finished."""
    if await sending(connection, key) is not None:
        return False
    await connection.execute(
        sa.insert(ops).values(
            id=op.id,
            session_id=key.session,
            sink=key.sink,
            target=key.target,
            body=op.body,
            to_n=op.to.cursor,
            to_part=op.to.part,
            state=SENDING,
            at=at,
        )
    )
    return True


async def give_up(connection: AsyncConnection, op: StoredOp, *, at: float) -> None:
    """The call was refused for good; another one is begun in its place. Safe to repeat."""
    begun = sa.and_(ops.c.id == op.id, ops.c.state == SENDING)
    await connection.execute(
        sa.update(ops).where(begun).values(state=GAVE_UP, at=at, attempts=ops.c.attempts + 1)
    )


async def finish(
    connection: AsyncConnection,
    key: BindingKey,
    op: StoredOp,
    *,
    result: str | None,
    memory: Mapping[str, Any],
    at: float,
) -> None:
    """The call is done (`result`: the id of what is shown) or given up (None): move on behind it."""
    state = GAVE_UP if result is None else SENT
    # What was sent is not needed any more, and cards would fill the database; what was refused is evidence.
    body = op.body if result is None else {}
    await connection.execute(
        sa.update(ops)
        .where(ops.c.id == op.id)
        .values(state=state, result=result, body=body, at=at, attempts=ops.c.attempts + 1)
    )
    await connection.execute(
        sa.update(bindings)
        .where(_is(key))
        .values(cursor=op.to.cursor, part=op.to.part, memory=memory, fails=0, next_at=0.0)
    )


async def fail(
    connection: AsyncConnection, key: BindingKey, op: StoredOp, *, executed: bool, next_at: float, fails: int
) -> None:
    """The call failed. If it may have been `executed` it stays begun; else it is planned anew."""
    state = SENDING if executed else FAILED
    await connection.execute(
        sa.update(ops).where(ops.c.id == op.id).values(state=state, attempts=ops.c.attempts + 1)
    )
    await postpone(connection, key, next_at=next_at, fails=fails)


async def postpone(connection: AsyncConnection, key: BindingKey, *, next_at: float, fails: int) -> None:
    """Leave the binding alone until `next_at` (seconds)."""
    await connection.execute(sa.update(bindings).where(_is(key)).values(next_at=next_at, fails=fails))


async def advance(connection: AsyncConnection, key: BindingKey, to: int) -> None:
    """Nothing up to entry `to` needs a call."""
    await connection.execute(sa.update(bindings).where(_is(key)).values(cursor=to, part=0))


async def progress(connection: AsyncConnection, session: SessionId) -> list[Progress]:
    """How far every projection of the session has come."""
    newest = sa.select(sa.func.max(events.c.n)).where(events.c.session_id == session)
    head = await connection.scalar(newest) or 0
    rows = await bindings_of(connection, [session])
    return [Progress(b.key.sink, b.key.target, b.cursor, head, b.suppressed) for b in rows]


def _is(key: BindingKey) -> sa.ColumnElement[bool]:
    same_sink = sa.and_(bindings.c.sink == key.sink, bindings.c.target == key.target)
    return sa.and_(bindings.c.session_id == key.session, same_sink)


def _of(key: BindingKey) -> sa.ColumnElement[bool]:
    same_sink = sa.and_(ops.c.sink == key.sink, ops.c.target == key.target)
    return sa.and_(ops.c.session_id == key.session, same_sink)


def _logged(rows: sa.CursorResult[Any]) -> list[Logged]:
    return [
        Logged(
            n=row.n,
            key=EntryKey(row.key),
            entry=load_entry(row.body),
            at=datetime.fromtimestamp(row.at, UTC),
            origin=row.origin,
        )
        for row in rows
    ]
