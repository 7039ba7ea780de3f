"""Brings a database to the newest schema; alembic, driven from code."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError

from core.errors import StoreUnavailable

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(url: str) -> None:
    """Create or upgrade every table, in one transaction; safe to repeat, and for several processes at once.

    Blocks for the time it takes: call it before the event loop has work, or in a thread.

    Args:
        url: "sqlite:////absolute/path.db" (its folder is created) or "postgresql://...".

    Raises:
        StoreUnavailable: The database cannot be opened or written, or is of a newer version.
        OSError: Its folder cannot be created.
    """
    if path := _sqlite_file(url):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _transaction(url) as connection:
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise StoreUnavailable(f"the database belongs to a newer Threadline: {error}") from error


def current(url: str) -> str | None:
    """The revision the database is at; None if it was never upgraded. Creates nothing."""
    path = _sqlite_file(url)
    if path and not path.exists():
        return None
    with _transaction(url, begin="BEGIN") as connection:
        return MigrationContext.configure(connection).get_current_revision()


def draft(message: str, folder: Path = MIGRATIONS / "versions") -> Path:
    """Write the next revision, from what `core.store.tables` has and the migrations lack; read it before use.

    Args:
        message: What changes, in a few words; becomes the file's name and first line.
        folder: Where the file goes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/draft.db"
        upgrade(url)
        number = f"{int(current(url) or 0) + 1:04}"
        with _transaction(url) as connection:
            made = command.revision(
                _config(connection, folder),
                message,
                autogenerate=True,
                rev_id=number,
                version_path=str(folder),
            )
    if made is None or isinstance(made, list):
        raise RuntimeError("alembic drafted no single revision")
    path = Path(made.path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "# ###" not in line), "utf-8")  # Alembic's own remarks.
    return path


@contextmanager
def _transaction(url: str, *, begin: str = "BEGIN IMMEDIATE") -> Iterator[sa.Connection]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine, begin)
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DatabaseError as error:  # Not only Operational: a file may be damaged, or no database.
        file = _sqlite_file(url)
        raise StoreUnavailable(f"{file}: {error.orig}" if file else str(error.orig)) from error
    finally:
        engine.dispose()


def _set_up_sqlite(engine: sa.Engine, begin: str) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        # Python's sqlite3 would commit before every CREATE TABLE, and a crash leave half a schema.
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA journal_mode=WAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)


def _sqlite_file(url: str) -> Path | None:
    address = sa.make_url(url)
    return Path(address.database) if address.drivername == "sqlite" and address.database else None


def _config(connection: sa.Connection, *more: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = dict.fromkeys([MIGRATIONS / "versions", *more])
    config.set_main_option("version_locations", "\n".join(map(str, folders)).replace("%", "%%"))
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")  # A name that Python can import.
    config.attributes["connection"] = connection
    return config
