"""The audit log: what was done with somebody's authority, in a chain that shows what was changed in it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.activities import Author
from core.store.database import Database
from core.store.tables import audit, audit_head, noted


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the audit log; `body` is JSON-able and holds no secret."""

    n: int
    at: float
    body: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class Trail:
    """The whole log, oldest first; beside it is kept how many rows there are, and the last digest."""

    records: Sequence[Record]
    rows: int = 0
    digest: str = ""


class AuditStore:
    """Notes what happened outside of any wish; all methods raise `StoreUnavailable`.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, database: Database, *, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    async def note(self, record: Mapping[str, Any], *, once: str) -> None:
        """Add a row; `once` names what happened, and the same is noted once, however often it is told."""
        async with self._database.write() as connection:
            await append(connection, record, at=self._now(), once=once)

    async def trail(self) -> Trail:
        """All of it, as of one moment."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(audit).order_by(audit.c.n))
            records = [Record(row.n, row.at, row.body, row.digest) for row in rows]
            head = (await connection.execute(sa.select(audit_head))).one_or_none()
        return Trail(records, head.rows, head.digest) if head else Trail(records)


def record_of(
    by: Author | None,
    action: str,
    *,
    pull: str,
    head: str | None = None,
    account: int | None = None,
    result: str = "done",
) -> dict[str, Any]:
    """A row's body for what nobody wished for at that moment.

    Args:
        by: In whose name it was done; None for the app's own.
        pull: The pull request, or "owner/name@branch" before there is one. `head`: its commit.
        account: Number of the account at the code host, of a person's.
    """
    return {
        "who": f"{by.surface}:{by.id}" if by else "app",
        "name": by.name if by else "",
        "account": account,
        "action": action,
        "pull": pull,
        "head": head,
        "result": result,
    }


async def append(
    connection: AsyncConnection, body: Mapping[str, Any], *, at: float, once: str | None = None
) -> None:
    """Add a row in the transaction of what it tells about."""
    if once is not None:
        known = sa.select(noted.c.once).where(noted.c.once == once)
        if await connection.scalar(known) is not None:
            return
        await connection.execute(sa.insert(noted).values(once=once))
        body = {**body, "op": once}
    # Locked, so that no two rows follow the same one.
    head = (await connection.execute(sa.select(audit_head).with_for_update())).one_or_none()
    if head is None:
        await connection.execute(sa.insert(audit_head).values(id=1, rows=0, digest=""))
    rows, before = (head.rows, head.digest) if head else (0, "")
    # Somebody may have changed the head: then the row is kept all the same, and does not hold.
    n = max(rows, await connection.scalar(sa.select(sa.func.max(audit.c.n))) or 0) + 1
    digest = _digest(before, at, body)
    row = {"n": n, "at": at, "body": dict(body), "digest": digest}
    await connection.execute(sa.insert(audit).values(**row))
    await connection.execute(sa.update(audit_head).values(rows=n, digest=digest))


def broken(trail: Trail) -> Iterator[int]:
    """Numbers of rows that do not hold: changed, moved, one missing before, cut off, or added."""
    before, n = "", 0
    for n, record in enumerate(trail.records, start=1):
        is_added = n > trail.rows
        is_last = n == trail.rows
        holds = record.digest == _digest(before, record.at, record.body)
        if record.n != n or not holds or is_added or (is_last and record.digest != trail.digest):
            yield record.n
        before = record.digest
    yield from range(n + 1, trail.rows + 1)


def _digest(before: str, at: float, body: Mapping[str, Any]) -> str:
    return sha256(json.dumps([before, at, dict(body)], sort_keys=True).encode()).hexdigest()
