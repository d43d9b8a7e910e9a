"""Owners of conversations, and API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "conversations", sa.Column("principal", sa.String(length=80), nullable=False, server_default=sa.text("''"))
    )  # what was said so far was said by anybody
    op.drop_index("ix_conversations_updated_ms_id", "conversations")
    op.create_index(
        op.f("ix_conversations_principal_updated_ms_id"), "conversations", ["principal", "updated_ms", "id"]
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger()),
        sa.Column("revoked_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_index("ix_conversations_principal_updated_ms_id", "conversations")
    op.create_index(op.f("ix_conversations_updated_ms_id"), "conversations", ["updated_ms", "id"])
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.drop_column("principal")
