"""The tables. Migrations bring a database to this state; a test holds the two against each other."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from app.chat.titles import TITLE_LENGTH

ID_LENGTH = 32
KEY_LENGTH = 255
PRINCIPAL_LENGTH = 80
ALIAS_LENGTH = 128

RUNNING = text("state = 'running'")
"""Of a message. To the letter, not as a parameter: else no plan could use the index that has only these."""

BEGINS_BRANCH = text("follows IS NOT NULL")
"""Of a message, as above."""

UNSEARCHED = text("searched_ms <> updated_ms")
"""Of a conversation, as above: what is said in it is not in the search index yet."""

REVISION = "0013"
"""Of the migrations that lead to these tables."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s",
    }
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(ID_LENGTH), primary_key=True),
    Column("title", String(TITLE_LENGTH), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("principal", String(PRINCIPAL_LENGTH), nullable=False, server_default=text("''")),
    # The last message of the branch that was chosen, and the newest message of all at that time: a later one is chosen
    # by being sent.
    Column("chosen_leaf", Integer),
    Column("chosen_newest", Integer),
    Column("searched_ms", BigInteger, nullable=False, server_default=text("-1")),  # `updated_ms` as it is indexed
    Column("alias", String(ALIAS_LENGTH)),  # the name that the client chose, of which the id is a digest
    Index(None, "principal", "updated_ms", "id"),  # pages, newest first
    Index("ix_conversations_unsearched", "principal", "id", sqlite_where=UNSEARCHED, postgresql_where=UNSEARCHED),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    metadata,
    Column("conversation_id", String(ID_LENGTH), ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # What only a reply has:
    Column("reply_id", String(ID_LENGTH)),
    Column("state", String(16)),
    Column("finish_reason", String(16)),
    Column("error_code", String(64)),
    Column("owner", String(ID_LENGTH)),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("words", BigInteger),
    # The position of the message before it, -1 if there is none; empty if that is the next lower one.
    Column("follows", Integer),
    Index(None, "reply_id", unique=True),
    Index("ix_messages_running", "owner", sqlite_where=RUNNING, postgresql_where=RUNNING),  # what a crash leaves behind
    Index(
        "ix_messages_branches",
        "conversation_id",
        "position",
        "follows",
        sqlite_where=BEGINS_BRANCH,
        postgresql_where=BEGINS_BRANCH,
    ),
    sqlite_with_rowid=False,
)

search_documents = Table(
    "search_documents",
    metadata,
    # What conversations are found by. Migrations add an index for each kind of database, named search_index.
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("conversation_id", String(ID_LENGTH), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("terms", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
    Index(None, "conversation_id", unique=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("reply_id", String(ID_LENGTH), primary_key=True),
    Column("conversation_id", String(ID_LENGTH), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("rating", String(16), nullable=False),
    Column("note", Text),
    Column("created_ms", BigInteger, nullable=False),
    Index(None, "conversation_id"),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(KEY_LENGTH), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("reply_id", String(ID_LENGTH), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index(None, "created_ms"),
    Index(None, "reply_id", unique=True),
    sqlite_with_rowid=False,
)

instances = Table(
    "instances",
    metadata,
    # Who generates replies, and the last sign of life; by the database's clock, and for how long it is good.
    Column("owner", String(ID_LENGTH), primary_key=True),
    Column("seen_ms", BigInteger, nullable=False),
    Column("lease_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

cancellations = Table(
    "cancellations",
    metadata,
    # Replies that other instances than their owner were asked to cancel. The owner takes the rows away.
    Column("owner", String(ID_LENGTH), primary_key=True),
    Column("reply_id", String(ID_LENGTH), primary_key=True),
    sqlite_with_rowid=False,
)

readings = Table(
    "readings",
    metadata,
    # Replies that are read at other instances than their owner. The owner takes the rows away.
    Column("owner", String(ID_LENGTH), primary_key=True),
    Column("reply_id", String(ID_LENGTH), primary_key=True),
    sqlite_with_rowid=False,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    sqlite_with_rowid=False,
)

word_budgets = Table(
    "word_budgets",
    metadata,
    # What a client, of which there is only a digest, has received in the window that ends then.
    Column("client", String(64), primary_key=True),
    Column("words", BigInteger, nullable=False),
    Column("ends_ms", BigInteger, nullable=False),
    Index(None, "ends_ms"),
    sqlite_with_rowid=False,
)

compatibility = Table(
    "compatibility",
    metadata,
    # One row: the oldest revision whose version of the service can use these tables. A migration that takes away what
    # an older version uses raises it.
    Column("oldest", String(ID_LENGTH), primary_key=True),
    sqlite_with_rowid=False,
)
