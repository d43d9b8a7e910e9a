"""Search in titles and texts. Older versions do not use it; what they write is found all the same."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SQLITE = (
    (
        "CREATE VIRTUAL TABLE search_index USING fts5(terms, content='search_documents', content_rowid='number',"
        " detail='none', tokenize=\"ascii tokenchars '@'\")"
    ),
    (
        "CREATE TRIGGER search_documents_insert AFTER INSERT ON search_documents BEGIN"
        " INSERT INTO search_index(rowid, terms) VALUES (new.number, new.terms); END"
    ),
    (
        "CREATE TRIGGER search_documents_delete AFTER DELETE ON search_documents BEGIN"
        " INSERT INTO search_index(search_index, rowid, terms) VALUES ('delete', old.number, old.terms); END"
    ),
    (
        "CREATE TRIGGER search_documents_update AFTER UPDATE ON search_documents BEGIN"
        " INSERT INTO search_index(search_index, rowid, terms) VALUES ('delete', old.number, old.terms);"
        " INSERT INTO search_index(rowid, terms) VALUES (new.number, new.terms); END"
    ),
)


def upgrade() -> None:
    op.create_table(
        "search_documents",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("terms", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_search_documents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_documents")),
    )
    op.create_index(op.f("ix_search_documents_conversation_id"), "search_documents", ["conversation_id"], unique=True)
    op.add_column(
        "conversations", sa.Column("searched_ms", sa.BigInteger(), nullable=False, server_default=sa.text("-1"))
    )
    op.create_index(
        "ix_conversations_unsearched",
        "conversations",
        ["principal", "id"],
        sqlite_where=sa.text("searched_ms <> updated_ms"),
        postgresql_where=sa.text("searched_ms <> updated_ms"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX search_index ON search_documents USING gin (terms) WITH (fastupdate = off)")
    else:
        for statement in _SQLITE:
            op.execute(statement)


def downgrade() -> None:
    op.drop_table("search_documents")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_index("ix_conversations_unsearched", "conversations")
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.drop_column("searched_ms")
