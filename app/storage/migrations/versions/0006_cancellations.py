"""Replies that an instance other than their owner was asked to cancel. Older versions do not use the table."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cancellations",
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("reply_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("owner", "reply_id", name=op.f("pk_cancellations")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("cancellations")
