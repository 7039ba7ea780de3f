"""The audit log: nothing in it can be changed, moved, cut off or added unseen."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.store.audit import AuditStore, Trail, append, broken
from core.store.database import Database
from core.store.migrate import upgrade
from core.store.tables import audit, audit_head
from tests.core.store.fakes import opened

ROWS = 5
NOW = 1_700_000_000.25


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def log(database: Database) -> AuditStore:
    return AuditStore(database, now=lambda: NOW)


async def fill(log: AuditStore, *names: str) -> None:
    for name in names:
        await log.note({"who": "app", "action": name}, once=name)


async def tamper(database: Database, *statements: sa.Executable) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_an_empty_log_is_whole(log: AuditStore) -> None:
    trail = await log.trail()
    assert (trail, list(broken(trail))) == (Trail([]), [])


async def test_what_is_noted_is_read_again_and_holds(log: AuditStore) -> None:
    await fill(log, "push", "open", "link ü")
    trail = await log.trail()
    assert [(one.n, one.at, one.body["action"]) for one in trail.records] == [
        (1, NOW, "push"),
        (2, NOW, "open"),
        (3, NOW, "link ü"),
    ]
    assert (trail.rows, trail.digest) == (3, trail.records[-1].digest)
    assert list(broken(trail)) == []


async def test_what_is_told_again_is_noted_once(log: AuditStore) -> None:
    await fill(log, "push", "push", "open", "push")
    trail = await log.trail()
    assert [one.body["op"] for one in trail.records] == ["push", "open"]


async def test_a_row_stands_and_falls_with_what_it_tells_about(database: Database, log: AuditStore) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await append(connection, {"action": "push"}, at=NOW, once="push")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await log.trail() == Trail([])
    await fill(log, "push")
    assert list(broken(await log.trail())) == []


@pytest.mark.parametrize("n", range(1, ROWS + 1))
@pytest.mark.parametrize("column", ["at", "body", "digest"])
async def test_a_changed_row_is_found(database: Database, log: AuditStore, n: int, column: str) -> None:
    await fill(log, *map(str, range(ROWS)))
    value: object = {"at": NOW + 1, "body": {"who": "nobody"}, "digest": "0" * 64}[column]
    await tamper(database, sa.update(audit).where(audit.c.n == n).values({column: value}))
    assert min(broken(await log.trail())) == n


@pytest.mark.parametrize("first", range(1, ROWS + 1))
@pytest.mark.parametrize("last", range(1, ROWS + 1))
async def test_missing_rows_are_found_wherever_they_were(
    database: Database, log: AuditStore, first: int, last: int
) -> None:
    await fill(log, *map(str, range(ROWS)))
    await tamper(database, sa.delete(audit).where(audit.c.n.between(first, last)))
    assert bool(list(broken(await log.trail()))) is (first <= last)


@pytest.mark.parametrize("left", range(ROWS))
async def test_rows_that_were_cut_off_stay_missing_when_others_follow(
    database: Database, log: AuditStore, left: int
) -> None:
    await fill(log, *map(str, range(ROWS)))
    await tamper(database, sa.delete(audit).where(audit.c.n > left))
    assert list(broken(await log.trail())) == list(range(left + 1, ROWS + 1))
    await fill(log, "later", "and later")
    trail = await log.trail()
    assert [one.n for one in trail.records][-2:] == [ROWS + 1, ROWS + 2]
    assert ROWS + 1 in broken(trail)


async def test_rows_that_nobody_noted_are_found(database: Database, log: AuditStore) -> None:
    await fill(log, "push")
    before = await log.trail()
    await fill(log, "merge")
    await tamper(database, sa.update(audit_head).values(rows=before.rows, digest=before.digest))
    assert list(broken(await log.trail())) == [2]


async def test_a_lost_head_is_found(database: Database, log: AuditStore) -> None:
    await fill(log, "push", "open")
    await tamper(database, sa.delete(audit_head))
    assert list(broken(await log.trail())) == [1, 2]
    await fill(log, "later")
    assert list(broken(await log.trail())) == [3]


async def test_a_head_that_was_set_back_loses_no_row(database: Database, log: AuditStore) -> None:
    await fill(log, "push", "open", "merge")
    await tamper(database, sa.update(audit_head).values(rows=1, digest=""))
    await fill(log, "later")
    trail = await log.trail()
    assert [one.body["action"] for one in trail.records] == ["push", "open", "merge", "later"]
    assert list(broken(trail)) == [4]


async def test_a_log_of_before_goes_on_where_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await fill(AuditStore(database, now=lambda: NOW), "push", "open")
    file = tmp_path / "app.db"
    older = tmp_path / "older.db"
    upgrade(f"sqlite:///{older}")
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("ATTACH ? AS new", (str(file),))
        connection.execute("INSERT INTO audit SELECT * FROM new.audit")
        connection.execute("DROP TABLE audit_head")
        connection.execute("DROP TABLE noted")
        connection.execute("UPDATE alembic_version SET version_num = '0006'")
        connection.commit()
    upgrade(f"sqlite:///{older}")
    newer = Database(f"sqlite:///{older}")
    log = AuditStore(newer, now=lambda: NOW)
    assert list(broken(await log.trail())) == []
    await fill(log, "merge")
    trail = await log.trail()
    await newer.close()
    assert (list(broken(trail)), trail.rows) == ([], 3)


async def test_any_one_change_is_found_at_the_end_as_well(log: AuditStore) -> None:
    await fill(log, *map(str, range(40)))
    trail = await log.trail()
    kept = trail.records
    for at, row in enumerate(kept):
        edited = [*kept[:at], replace(row, body={"n": "forged"}), *kept[at + 1 :]]
        dropped = [*kept[:at], *kept[at + 1 :]]
        swapped = [*kept[: at - 1], row, kept[at - 1], *kept[at + 1 :]] if at else [*kept[1:], row]
        later = [*kept[:at], replace(row, at=row.at + 1), *kept[at + 1 :]]
        for records in (edited, dropped, swapped, later):
            assert list(broken(replace(trail, records=records))), at
    assert not list(broken(trail))
