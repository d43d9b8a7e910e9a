"""The number of words of a reply, and idempotency keys that belong to a message, wherever it is sent."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("words", sa.BigInteger()))
    # A fingerprint was that of the whole request: who repeats one after the update has to be recognised.
    connection = op.get_bind()
    keys = sa.text(
        "SELECT idempotency_keys.key, asked.text FROM idempotency_keys"
        " JOIN messages AS reply ON reply.reply_id = idempotency_keys.reply_id"
        " JOIN messages AS asked"
        " ON asked.conversation_id = reply.conversation_id AND asked.position = reply.position - 1"
    )
    rows = [{"of": key, "is": hashlib.sha256(text.encode()).hexdigest()} for key, text in connection.execute(keys)]
    if rows:
        connection.execute(sa.text("UPDATE idempotency_keys SET fingerprint = :is WHERE key = :of"), rows)


def downgrade() -> None:
    with op.batch_alter_table("messages") as batch_op:
        batch_op.drop_column("words")
