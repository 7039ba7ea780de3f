"""Where people were asked to link an account: there the rest of it is told."""

import sqlalchemy as sa

from core.activities import AuthAsked, Author, load_entry
from core.ids import SessionId
from core.store.database import Database
from core.store.tables import events


async def asked_in(database: Database, person: Author, provider: str) -> tuple[SessionId, AuthAsked] | None:
    """The session in which `person` was last asked to link an account at `provider`, and how.

    Raises:
        StoreUnavailable: The database cannot be read.
    """
    body = events.c.body
    asked = (
        sa.select(events.c.session_id, body)
        .where(
            body["kind"].as_string() == "authAsked",
            body["provider"].as_string() == provider,
            body["person"]["surface"].as_string() == person.surface,
            body["person"]["id"].as_string() == person.id,
        )
        .order_by(events.c.at.desc(), events.c.n.desc())
        .limit(1)
    )
    async with database.read() as connection:
        row = (await connection.execute(asked)).one_or_none()
    entry = load_entry(row.body) if row else None
    return (SessionId(row.session_id), entry) if row and isinstance(entry, AuthAsked) else None
