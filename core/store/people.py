"""Who people are in Linear, and the messages that wait until their authors have told us."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import AuthGiven, Author
from core.errors import ThreadlineError
from core.events import Incoming
from core.ids import EntryKey, SessionId, TurnId
from core.intake import load_incoming
from core.people import Evidence, Identity
from core.session import Append
from core.store.database import Database
from core.store.sessions import Enqueue, SessionStore
from core.store.tables import held, identities, inbox


class OtherLink(ThreadlineError):
    """One of the two accounts is linked to another one already; `with_name` is that one's."""

    def __init__(self, with_name: str) -> None:
        super().__init__(f"already linked to {with_name}")
        self.with_name = with_name


class PeopleStore:
    """Links between chat and Linear accounts, one to one on each surface, and what is held for them.

    What is held is lost in no crash: it is taken out of its session's inbox and noted here in one
    transaction, and goes back under a key of its own in another.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, database: Database, sessions: SessionStore, *, now: Callable[[], float]) -> None:
        self._database = database
        self._sessions = sessions
        self._now = now

    async def find(self, surface: str, account: str) -> Identity | None:
        """Who this account is in Linear, if we were told."""
        mine = sa.select(identities).where(_is(identities, surface, account))
        async with self._database.read() as connection:
            row = (await connection.execute(mine)).one_or_none()
        return _identity(row) if row else None

    async def link(self, identity: Identity) -> None:
        """Remember a link; `release` what is held next. The same link again changes nothing.

        Raises:
            OtherLink: Somebody else on this surface has that Linear account, or this one has signed in to
                Linear as somebody else before. Nothing is stored.
        """
        here = _is(identities, identity.surface, identity.account)
        others = sa.select(identities.c.name).where(
            identities.c.surface == identity.surface,
            identities.c.linear_user == identity.linear_user,
            identities.c.account != identity.account,
        )
        async with self._database.write() as connection:
            row = (await connection.execute(sa.select(identities).where(here))).one_or_none()
            known = _identity(row) if row else None
            if known and known.evidence is Evidence.OAUTH:
                if known.linear_user != identity.linear_user:
                    raise OtherLink(known.name)
                return
            if (other := await connection.scalar(others)) is not None:
                raise OtherLink(other)
            await connection.execute(sa.delete(identities).where(here))
            await connection.execute(sa.insert(identities).values(_row(identity, self._now())))

    async def unlink(self, surface: str, account: str) -> Identity | None:
        """Forget who this account is; what was known, if anything was."""
        gone = sa.delete(identities).where(_is(identities, surface, account)).returning(identities)
        async with self._database.write() as connection:
            row = (await connection.execute(gone)).one_or_none()
        return _identity(row) if row else None

    async def hold(self, session_id: SessionId, author: Author, seqs: Sequence[int], by: TurnId) -> None:
        """Put inbox rows of `author` aside, unless they are taken; the turn `by` has seen them."""
        waiting = sa.and_(inbox.c.session_id == session_id, inbox.c.seq.in_(seqs), inbox.c.taken_by.is_(None))
        taken = sa.update(inbox).where(waiting).values(taken_by=by, mode="held").returning(inbox.c.seq)
        async with self._database.write() as connection:
            for seq in (await connection.execute(taken)).scalars().all():
                row = {"session_id": session_id, "seq": seq}
                await connection.execute(
                    sa.insert(held).values(**row, surface=author.surface, account=author.id)
                )

    async def held(self, session_id: SessionId, author: Author) -> list[Incoming]:
        """What is put aside in this session for `author`, in order."""
        async with self._database.read() as connection:
            rows = await _held(connection, _is(held, author.surface, author.id))
        return [load_incoming(row.body) for row in rows if row.session_id == session_id]

    async def release(self, identity: Identity, enqueue: Enqueue) -> list[SessionId]:
        """Let everything come in anew that was held for this account, once; the sessions it went to."""
        mine = _is(held, identity.surface, identity.account)
        released = list[SessionId]()
        async with self._database.write() as connection:
            rows = await _held(connection, mine)
            await connection.execute(sa.delete(held).where(mine))
            for row in rows:
                session_id, incoming = SessionId(row.session_id), load_incoming(row.body)
                if session_id not in released:
                    released.append(session_id)
                    given = AuthGiven(person=replace(incoming.author, name=identity.name))
                    key = EntryKey(f"linked/{incoming.key}")
                    await self._sessions.append(connection, session_id, [Append(key, given)])
                again = replace(incoming, key=f"{incoming.key}/linked")
                await self._sessions.put(connection, session_id, again, enqueue)
        return released

    async def overdue(self) -> list[Identity]:
        """Links whose accounts have something held: a crash came between the two."""
        both = sa.and_(identities.c.surface == held.c.surface, identities.c.account == held.c.account)
        query = sa.select(identities).where(sa.exists(sa.select(held.c.seq).where(both)))
        async with self._database.read() as connection:
            return [_identity(row) for row in await connection.execute(query)]


async def _held(connection: AsyncConnection, which: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any, Any]]:
    there = sa.and_(inbox.c.session_id == held.c.session_id, inbox.c.seq == held.c.seq)
    rows = sa.select(held.c.session_id, inbox.c.body).join(inbox, there).where(which)
    return (await connection.execute(rows.order_by(held.c.session_id, held.c.seq))).all()


def _is(table: sa.Table, surface: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.surface == surface, table.c.account == account)


def _row(identity: Identity, linked_at: float) -> dict[str, Any]:
    return {
        "surface": identity.surface,
        "account": identity.account,
        "linear_user": identity.linear_user,
        "name": identity.name,
        "email": identity.email,
        "evidence": identity.evidence.value,
        "linked_at": linked_at,
    }


def _identity(row: sa.Row[Any]) -> Identity:
    return Identity(
        surface=row.surface,
        account=row.account,
        linear_user=row.linear_user,
        name=row.name,
        email=row.email,
        evidence=Evidence(row.evidence),
    )
