"""What alembic runs: `core.store.migrate` hands over an open transaction."""

from alembic import context

from core.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can alter a table only by building it anew.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
