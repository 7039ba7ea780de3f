"""Threads that we begin ourselves: wanted, tried, there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from core.ids import SessionId, ThreadRef
from core.store.database import Database
from core.store.mirroring import bind
from core.store.tables import bindings, events, openings, sessions, threads

DUE, DONE, GONE = "due", "done", "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One that is not finished.

    Attributes:
        after: Number of the last log entry that is not shown there; stands for the turn that wants it.
        tried_at: Its message may be there since then (seconds); None for surely not.
        thread: As text, once it is there.
        linear_session: The agent session that is told its address.
    """

    session: SessionId
    place: str
    body: str
    after: int
    tried_at: float | None
    thread: str | None
    linear_session: str | None


class OpeningStore:
    """The openings of this installation; all methods may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def want(self, session_id: SessionId, place: str, body: str) -> bool:
        """Ask for a thread that shows the session from its present turn on; whether there is work to do now.

        A session that is shown in a chat needs none. One whose place was gone is tried anew.
        """
        async with self._database.write() as connection:
            shown = sa.select(bindings.c.target).where(
                bindings.c.session_id == session_id, bindings.c.sink != "linear"
            )
            if (await connection.execute(shown.limit(1))).first() is not None:
                return False
            wanted = {
                "place": place,
                "body": body,
                "state": DUE,
                "after_n": await _past(connection, session_id),
            }
            await _wish(connection, session_id, wanted)
        return True

    async def due(self) -> list[Opening]:
        """Everything that is not finished."""
        with_session = sa.select(openings, sessions.c.linear_session_id).join_from(openings, sessions)
        async with self._database.read() as connection:
            rows = await connection.execute(with_session.where(openings.c.state == DUE))
            return [
                Opening(
                    session=SessionId(row.session_id),
                    place=row.place,
                    body=row.body,
                    after=row.after_n,
                    tried_at=row.tried_at,
                    thread=row.thread,
                    linear_session=row.linear_session_id,
                )
                for row in rows
            ]

    async def trying(self, session_id: SessionId, *, at: float) -> None:
        """Written down before the first call; later ones leave it as it is."""
        first = sa.and_(openings.c.session_id == session_id, openings.c.tried_at.is_(None))
        async with self._database.write() as connection:
            await connection.execute(sa.update(openings).where(first).values(tried_at=at))

    async def untried(self, session_id: SessionId) -> None:
        """Of the only attempt so far it is certain that it came to nothing."""
        mine = sa.update(openings).where(openings.c.session_id == session_id)
        async with self._database.write() as connection:
            await connection.execute(mine.values(tried_at=None))

    async def opened(self, session_id: SessionId, thread: ThreadRef) -> None:
        """The thread is there: from now on the session is shown in it, and what is said there reaches it."""
        mine = openings.c.session_id == session_id
        async with self._database.write() as connection:
            if await connection.scalar(sa.select(openings.c.thread).where(mine)) is not None:
                return
            row = {"surface": thread.surface, "install": thread.install}
            row |= {"conversation": thread.conversation, "root": thread.root}
            # Somebody who mentioned us under it before this was written has a session of their own there.
            mine_there = _dialect(connection).insert(threads).values(**row, session_id=session_id)
            await connection.execute(mine_there.on_conflict_do_nothing())
            sink, target = thread.surface, str(thread)
            await bind(connection, session_id, sink=sink, target=target, install=thread.install)
            past = sa.select(openings.c.after_n).where(mine).scalar_subquery()
            bound = bindings.c.session_id == session_id, bindings.c.target == target
            await connection.execute(sa.update(bindings).where(*bound).values(cursor=past))
            await connection.execute(sa.update(openings).where(mine).values(thread=target))

    async def finish(self, session_id: SessionId, *, url: str | None) -> None:
        """Nothing is left to do; `url` is the address of the thread for people."""
        async with self._database.write() as connection:
            await _settle(connection, session_id, DONE)
            if url is not None:
                mine = sa.update(sessions).where(sessions.c.id == session_id)
                await connection.execute(mine.values(thread_url=url))

    async def give_up(self, session_id: SessionId) -> None:
        """Its place is gone; the next turn may want it again."""
        async with self._database.write() as connection:
            await _settle(connection, session_id, GONE)


async def _wish(connection: AsyncConnection, session_id: SessionId, wanted: Mapping[str, Any]) -> None:
    wish = _dialect(connection).insert(openings).values(session_id=session_id, **wanted)
    # Not `tried_at`: an attempt before it was given up may have got through.
    renewed = wish.on_conflict_do_update(
        index_elements=["session_id"], set_=dict(wanted), where=openings.c.state == GONE
    )
    await connection.execute(renewed)


def _dialect(connection: AsyncConnection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


async def _past(connection: AsyncConnection, session_id: SessionId) -> int:
    """Number of the last entry before the session's present turn."""
    began = sa.select(sa.func.max(events.c.n)).where(
        events.c.session_id == session_id, events.c.body["kind"].as_string() == "turnStarted"
    )
    return max(0, (await connection.scalar(began) or 1) - 1)


async def _settle(connection: AsyncConnection, session_id: SessionId, state: str) -> None:
    mine = sa.update(openings).where(openings.c.session_id == session_id)
    await connection.execute(mine.values(state=state))
