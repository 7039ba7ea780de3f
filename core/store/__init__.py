"""Tables and repositories on SQLAlchemy Core: SQLite by default, PostgreSQL by URL."""
