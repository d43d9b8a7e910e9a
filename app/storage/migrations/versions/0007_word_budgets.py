"""Words that clients have received today. Older versions of the service do not use the table."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "word_budgets",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("words", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_word_budgets")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_word_budgets_ends_ms"), "word_budgets", ["ends_ms"])


def downgrade() -> None:
    op.drop_table("word_budgets")
