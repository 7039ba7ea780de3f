"""the head of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_head",
        sa.Column("id", whole, autoincrement=False, nullable=False),
        sa.Column("rows", whole, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table("noted", sa.Column("once", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("once"))
    op.execute(
        "INSERT INTO audit_head (id, rows, digest) SELECT 1, (SELECT COUNT(*) FROM audit), digest FROM audit"
        " WHERE n = (SELECT MAX(n) FROM audit)"
    )
