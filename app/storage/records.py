"""Writes replies, each with the message that it answers: what SQLite and PostgreSQL both understand."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from app.chat.model import ReplyRecord
from app.storage.schema import TITLE_LENGTH, conversations, idempotency_keys, messages


def record_writer(owner: str, dialect: str) -> Callable[[Connection, Sequence[ReplyRecord]], None]:
    """What stores records, as those of `owner`, in a database that speaks `dialect`."""
    upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # A commit whose answer was lost is repeated, so it is no error if the reply is there already. Another reply in its
    # place, or with its key, is one: two instances were asked at the same time, and the other one was quicker.
    add_conversation = upsert(conversations).on_conflict_do_nothing()
    add_user_message = upsert(messages).on_conflict_do_nothing()
    add_key = upsert(idempotency_keys).on_conflict_do_nothing(index_elements=["reply_id"])
    insert = upsert(messages)
    changed = {name: insert.excluded[name] for name in _REPLY_COLUMNS}
    add_reply = insert.on_conflict_do_update(index_elements=["reply_id"], set_=changed)

    def write(connection: Connection, records: Sequence[ReplyRecord]) -> None:
        # The event loop runs on while a statement does, and with it what changes the records: look at each once.
        old = [_reply_update(record) for record in records if record.stored]
        new = [record for record in records if not record.stored]
        replies = [_reply_row(record, owner) for record in new]
        if first := [_conversation_row(record) for record in new if record.position == 0]:
            connection.execute(add_conversation, first)
        if further := [_touch(record) for record in new if record.position > 0]:
            connection.execute(_TOUCH, further)
        if new:
            connection.execute(add_user_message, [_user_row(record) for record in new])
            connection.execute(add_reply, replies)
        if keys := [_key_row(record) for record in new if record.idempotency]:
            connection.execute(add_key, keys)
        if old:
            connection.execute(_UPDATE_REPLY, old)

    return write


_REPLY_COLUMNS = ("text", "state", "finish_reason", "error_code")
_UPDATE_REPLY = (
    update(messages)
    .where(messages.c.reply_id == bindparam("of"))
    .values({name: bindparam(name) for name in _REPLY_COLUMNS})
)
_TOUCH = update(conversations).where(conversations.c.id == bindparam("of")).values(updated_ms=bindparam("updated_ms"))


def _conversation_row(record: ReplyRecord) -> dict[str, object]:
    title = " ".join(record.user_message.split())[:TITLE_LENGTH]
    return {
        "id": record.conversation_id,
        "title": title,
        "created_ms": record.created_ms,
        "updated_ms": record.created_ms,
    }


def _touch(record: ReplyRecord) -> dict[str, object]:
    return {"of": record.conversation_id, "updated_ms": record.created_ms}


def _user_row(record: ReplyRecord) -> dict[str, object]:
    return {
        "conversation_id": record.conversation_id,
        "position": record.position,
        "role": "user",
        "text": record.user_message,
        "created_ms": record.created_ms,
    }


def _reply_row(record: ReplyRecord, owner: str) -> dict[str, object]:
    return {
        "conversation_id": record.conversation_id,
        "position": record.position + 1,
        "role": "assistant",
        "text": record.text,
        "created_ms": record.created_ms,
        "reply_id": record.reply_id,
        "state": record.state,
        "finish_reason": record.finish_reason,
        "error_code": record.error_code,
        "owner": owner,
    }


def _reply_update(record: ReplyRecord) -> dict[str, object]:
    return {
        "of": record.reply_id,
        "text": record.text,
        "state": record.state,
        "finish_reason": record.finish_reason,
        "error_code": record.error_code,
    }


def _key_row(record: ReplyRecord) -> dict[str, object]:
    assert record.idempotency is not None  # noqa: S101 - the caller has looked
    return {
        "key": record.idempotency.key,
        "fingerprint": record.idempotency.fingerprint,
        "reply_id": record.reply_id,
        "created_ms": record.created_ms,
    }
