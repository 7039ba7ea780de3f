"""What people want done with pull requests, each wish once, and the record of what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from pydantic import TypeAdapter

from core.activities import Author
from core.ids import MessageRef, SessionId, ThreadRef
from core.pulls import PullAction
from core.session import Append
from core.store.audit import append
from core.store.database import Database
from core.store.sessions import SessionStore
from core.store.tables import acts

DUE, DONE, REFUSED, HELD = "due", "done", "refused", "held"
HELD_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asked for.

    Attributes:
        sha: The head they saw, whole; what is none is no head of anything.
        sure: They confirmed it, or named the commit themselves.
        thread: Where they asked, if it was in chat. `message`: with which message.
    """

    by: Author
    action: PullAction
    sha: str
    text: str = ""
    sure: bool = False
    thread: ThreadRef | None = None
    message: MessageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A wish that is not settled. `tried`: a call was made for it, which may have got through."""

    id: str
    op: str
    session: SessionId
    wish: Wish
    tried: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A wish that waits until its person has linked an account, for `left_s` seconds more."""

    act: Act
    left_s: float


_WISH: TypeAdapter[Wish] = TypeAdapter(Wish)


class ActStore:
    """The wishes of this installation; all methods may be repeated."""

    def __init__(self, database: Database, sessions: SessionStore, *, now: Callable[[], float]) -> None:
        self._database = database
        self._sessions = sessions
        self._now = now

    async def want(self, session_id: SessionId, key: str, wish: Wish) -> bool:
        """Store a wish under the key of its event; whether it is a new one."""
        row = {"id": key, "op": str(uuid4()), "session_id": session_id, "state": DUE, "at": self._now()}
        async with self._database.write() as connection:
            if await connection.scalar(sa.select(acts.c.id).where(acts.c.id == key)) is not None:
                return False
            body = _WISH.dump_python(wish, mode="json")
            await connection.execute(sa.insert(acts).values(**row, body=body))
        return True

    async def due(self) -> list[Act]:
        """Wishes to see to, oldest first."""
        mine = sa.select(acts).where(acts.c.state == DUE).order_by(acts.c.at, acts.c.id)
        async with self._database.read() as connection:
            return [_act(row) for row in await connection.execute(mine)]

    async def still_due(self, act: Act) -> Act | None:
        """The same wish as it is stored now; None if it is settled."""
        mine = sa.select(acts).where(acts.c.id == act.id, acts.c.state == DUE)
        async with self._database.read() as connection:
            row = (await connection.execute(mine)).one_or_none()
        return _act(row) if row else None

    async def last(self, session_id: SessionId, action: PullAction) -> Wish | None:
        """What somebody had done last of this kind with the session's pull request."""
        done = (
            sa.select(acts.c.body)
            .where(acts.c.session_id == session_id, acts.c.state == DONE, acts.c.once.is_not(None))
            .order_by(acts.c.at.desc())
        )
        async with self._database.read() as connection:
            wishes = [_WISH.validate_python(body) for body in await connection.scalars(done)]
        return next((wish for wish in wishes if wish.action is action), None)

    async def begin(self, act: Act, once: str) -> bool:
        """Note that it is allowed and about to be done; False if the same was done, or is being done, before.

        Args:
            once: Names what is done, whoever asked how often.
        """
        async with self._database.write() as connection:
            other = sa.select(acts.c.id).where(acts.c.once == once, acts.c.id != act.id)
            if await connection.scalar(other) is not None:
                return False
            mine = sa.update(acts).where(acts.c.id == act.id)
            await connection.execute(mine.values(once=once, tried_at=self._now()))
        return True

    async def settle(
        self, act: Act, *, done: bool, record: Mapping[str, Any], tell: Sequence[Append]
    ) -> None:
        """It is over: what people are told, and the row in the audit log, in one transaction."""
        async with self._database.write() as connection:
            # Refused after it was begun: the same may be asked for again.
            values = {"state": DONE} if done else {"state": REFUSED, "once": None}
            mine = sa.update(acts).where(acts.c.id == act.id, acts.c.state.in_((DUE, HELD)))
            if (await connection.execute(mine.values(**values))).rowcount:
                await append(connection, record, at=self._now())
                await self._sessions.append(connection, act.session, tell)

    async def hold(self, act: Act, *, record: Mapping[str, Any], tell: Sequence[Append]) -> None:
        """It waits until its person has linked an account."""
        async with self._database.write() as connection:
            mine = sa.update(acts).where(acts.c.id == act.id, acts.c.state == DUE)
            if (await connection.execute(mine.values(state=HELD, once=None))).rowcount:
                await append(connection, record, at=self._now())
                await self._sessions.append(connection, act.session, tell)

    async def held(self) -> list[Held]:
        """Wishes that wait for their person, oldest first."""
        mine = sa.select(acts).where(acts.c.state == HELD).order_by(acts.c.at, acts.c.id)
        async with self._database.read() as connection:
            return [Held(_act(row), row.at + HELD_S - self._now()) for row in await connection.execute(mine)]

    async def release(self, held: Sequence[Act]) -> None:
        """Let them go on."""
        theirs = sa.and_(acts.c.id.in_([one.id for one in held]), acts.c.state == HELD)
        async with self._database.write() as connection:
            await connection.execute(sa.update(acts).where(theirs).values(state=DUE))


def _act(row: sa.Row[Any]) -> Act:
    return Act(
        id=row.id,
        op=row.op,
        session=SessionId(row.session_id),
        wish=_WISH.validate_python(row.body),
        tried=row.tried_at is not None,
    )
