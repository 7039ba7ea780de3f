"""The migrations, against real SQLite files."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from core.errors import StoreUnavailable
from core.store.migrate import MIGRATIONS, current, draft, upgrade
from core.store.tables import metadata


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "not there yet" / "threadline.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def upgraded(url: str) -> Iterator[sa.Connection]:
    upgrade(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def statements(file: Path) -> dict[str, set[str]]:
    """Name -> the lines of the statement that made it, in any order."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: {line.strip(" \t,") for line in sql.splitlines()} for name, sql in rows}


def test_migrations_end_at_the_tables_that_the_code_uses(upgraded: sa.Connection) -> None:
    context = MigrationContext.configure(upgraded, opts={"compare_server_default": True})
    assert compare_metadata(context, metadata) == []


def test_migrations_make_what_the_tables_would_make_themselves(url: str, file: Path, tmp_path: Path) -> None:
    direct = tmp_path / "direct.db"
    engine = sa.create_engine(f"sqlite:///{direct}")
    metadata.create_all(engine)
    engine.dispose()
    upgrade(url)
    migrated = statements(file)
    del migrated["alembic_version"]
    assert migrated == statements(direct)


def test_an_upgraded_database_is_left_alone(url: str, file: Path) -> None:
    upgrade(url)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO workers VALUES ('w1', 'host-0', 1.0, 'up')")
        connection.commit()
    upgrade(url)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT id FROM workers").fetchall() == [("w1",)]


def test_current_tells_the_revision(url: str) -> None:
    upgrade(url)
    assert current(url) == newest_revision()


def newest_revision() -> str:
    return max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v*.py"))


def test_current_of_a_database_that_is_not_there_creates_nothing(url: str, file: Path) -> None:
    assert current(url) is None
    assert not file.exists()


def test_current_of_an_empty_database_is_none(url: str, file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    assert current(url) is None


def test_database_is_in_wal_mode_afterwards(url: str, file: Path) -> None:
    upgrade(url)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_upgrade_that_fails_leaves_no_half_of_a_schema(url: str, file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE events (somebody_elses TEXT)")
    with pytest.raises(StoreUnavailable, match="already exists"):
        upgrade(url)
    assert set(statements(file)) == {"events"}


def test_the_path_is_read_as_sqlalchemy_reads_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/100%25/threadline.db"
    upgrade(url)
    assert current(url) is not None
    assert (tmp_path / "100%" / "threadline.db").exists()


def test_draft_is_the_next_revision_and_empty_when_nothing_changed(tmp_path: Path) -> None:
    drafted = draft("Nothing new", tmp_path)
    text = drafted.read_text("utf-8")
    assert drafted.name == f"v{int(newest_revision()) + 1:04}_nothing_new.py"
    assert f'down_revision = "{newest_revision()}"' in text
    assert text.endswith('"""Apply."""\n    pass\n')


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "threadline.db"
    file.write_bytes(b"something else" * 100)
    with pytest.raises(StoreUnavailable, match=re.escape(f"{file}: file is not a database")):
        upgrade(f"sqlite:///{file}")
    assert file.read_bytes() == b"something else" * 100


def test_a_database_of_a_newer_version_is_told_as_that_and_left_alone(url: str, file: Path) -> None:
    upgrade(url)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match=r"newer Threadline.*9999"):
        upgrade(url)
    assert current(url) == "9999"
