"""Which session an event belongs to, and what that session heard before."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.events import Incoming, Pressed, SessionOpened, StopAsked
from core.ids import IssueRef, SessionId, ThreadRef
from core.intake import is_awaited, load_incoming
from core.session import load_session
from core.store.tables import cards, inbox, ops, sessions, threads


async def session_at(connection: AsyncConnection, incoming: Incoming) -> SessionId | None:
    """The session at the event's place; None where there is none yet."""
    match incoming.place, incoming.event:
        case str(linear_session), SessionOpened() as opened:
            return await _owner(connection, linear_session, opened)
        case str(linear_session), _:
            mine = sa.select(sessions.c.id).where(sessions.c.linear_session_id == linear_session)
            return await connection.scalar(mine)
        case IssueRef(), _:  # Of several sessions, perhaps: `at_work_on` finds them.
            return None
        case ThreadRef() as thread, event:
            here = sa.select(threads.c.session_id).where(is_thread(thread))
            if (found := await connection.scalar(here)) is not None:
                return SessionId(found)
            if isinstance(event, Pressed):  # A private message does not always tell its thread.
                card = sa.select(cards.c.session_id).where(cards.c.id == event.card)
                return await connection.scalar(card)
            return await _author_of(connection, incoming) if isinstance(event, StopAsked) else None


def is_thread(thread: ThreadRef) -> sa.ColumnElement[bool]:
    """Rows of `threads` that are this one."""
    return sa.and_(
        threads.c.surface == thread.surface,
        threads.c.install == thread.install,
        threads.c.conversation == thread.conversation,
        threads.c.root == thread.root,
    )


async def heard_of(
    connection: AsyncConnection, session_id: SessionId | None, incoming: Incoming
) -> list[Incoming]:
    """What the session was told before about the message that the event is about, in order."""
    if session_id is None or incoming.message is None:
        return []
    message = inbox.c.body["message"]
    about = sa.select(inbox.c.body).where(
        inbox.c.session_id == session_id,
        message["id"].as_string() == incoming.message.id,
        message["thread"]["conversation"].as_string() == incoming.message.thread.conversation,
    )
    return [load_incoming(body) for body in await connection.scalars(about.order_by(inbox.c.seq))]


async def awaits(connection: AsyncConnection, session_id: SessionId | None, incoming: Incoming) -> bool:
    """Whether the session, as it stands, is to hear of the event."""
    if not incoming.if_awaited:
        return True
    mine = sa.select(sessions.c.state).where(sessions.c.id == session_id)
    state = await connection.scalar(mine)
    untaken = sa.select(inbox.c.seq).where(inbox.c.session_id == session_id, inbox.c.taken_by.is_(None))
    waits = await connection.scalar(untaken.limit(1)) is not None
    return state is not None and is_awaited(incoming, load_session(state), waits=waits)


async def _author_of(connection: AsyncConnection, incoming: Incoming) -> SessionId | None:
    """The session that posted the message: a reaction names the message, but not its thread."""
    if incoming.message is None:
        return None
    thread = incoming.message.thread
    posted = sa.select(ops.c.session_id).where(
        ops.c.sink == thread.surface,
        ops.c.result == incoming.message.id,
        ops.c.target.startswith(f"{thread.place}/", autoescape=True),
    )
    return await connection.scalar(posted)


async def _owner(connection: AsyncConnection, linear_session: str, opened: SessionOpened) -> SessionId | None:
    """The session that owns an agent session, or is just asking Linear for it.

    What a person opens is never the echo of our own call.
    """
    mine = sa.select(sessions.c.id).where(sessions.c.linear_session_id == linear_session)
    if (found := await connection.scalar(mine)) is not None:
        return SessionId(found)
    if opened.by_person:
        return None
    candidates, _ = await asking(connection, opened)
    return candidates[0] if candidates else None


async def asking(connection: AsyncConnection, opened: SessionOpened) -> tuple[list[SessionId], bool]:
    """The sessions that ask Linear for one on this issue, likeliest first; whether the first is certain."""
    rows = await connection.execute(
        sa.select(sessions.c.id, sessions.c.thread_url).where(
            sessions.c.issue_id == opened.issue,
            sessions.c.linear_session_id.is_(None),
            sessions.c.linear_pending_at.is_not(None),
        )
    )
    asking = {SessionId(row.id): row.thread_url in opened.external_urls for row in rows}
    linked = [session_id for session_id, is_linked in asking.items() if is_linked]
    return [*linked, *asking], len(linked or asking) == 1
