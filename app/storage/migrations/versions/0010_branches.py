"""Branches of conversations. Older versions read all messages, and add theirs behind the newest."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("follows", sa.Integer()))
    op.add_column("conversations", sa.Column("chosen_leaf", sa.Integer()))
    op.add_column("conversations", sa.Column("chosen_newest", sa.Integer()))
    op.create_index(
        "ix_messages_branches",
        "messages",
        ["conversation_id", "position", "follows"],
        sqlite_where=sa.text("follows IS NOT NULL"),
        postgresql_where=sa.text("follows IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_messages_branches", "messages")
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.drop_column("chosen_newest")
        batch_op.drop_column("chosen_leaf")
    with op.batch_alter_table("messages") as batch_op:
        batch_op.drop_column("follows")
