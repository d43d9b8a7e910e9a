"""Writes replies, each with the message that it answers: what SQLite and PostgreSQL both understand."""

from collections.abc import Callable, Sequence
from operator import itemgetter

from sqlalchemy import (
    Connection,
    Delete,
    Insert,
    Update,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from app.chat.stored import ReplyRecord
from app.chat.titles import title_of
from app.storage.instances import fence
from app.storage.owner import Owner
from app.storage.schema import RUNNING, conversations, idempotency_keys, messages
from app.storage.writer import Prepare, Work

_Row = dict[str, object]


def record_writer(owner: Owner, *, is_fenced: bool) -> Prepare:
    """What stores records, as those of `owner`: in PostgreSQL for the holder of a lease, else in SQLite."""
    upsert = postgresql.insert if is_fenced else sqlite.insert
    # A commit whose answer was lost is repeated, so it is no error if the reply is there already. Another reply in its
    # place, or with its key, is one: two instances were asked at the same time, and the other one was quicker.
    insert = upsert(messages)
    changed: dict[str, object] = {name: insert.excluded[name] for name in _REPLY_COLUMNS}
    is_ours = and_(
        messages.c.owner == insert.excluded.owner,
        or_(messages.c.state == literal_column("'running'"), messages.c.state == insert.excluded.state),
    )
    changed["role"] = case((is_ours, messages.c.role))  # as in _UPDATE_REPLY
    forget_failed = _Statement(_FORGET_FAILED)
    forget_key = _Statement(_FORGET_KEY)
    add_conversation = _Statement(upsert(conversations).on_conflict_do_nothing())
    touch = _Statement(_TOUCH)
    add_user_message = _Statement(insert.on_conflict_do_nothing())
    add_reply = _Statement(insert.on_conflict_do_update(index_elements=["reply_id"], set_=changed))
    add_key = _Statement(upsert(idempotency_keys).on_conflict_do_nothing(index_elements=["reply_id"]))
    update_reply = _Statement(_UPDATE_REPLY)

    def prepare(records: Sequence[ReplyRecord]) -> Work:
        name = owner.name
        new = [record for record in records if not record.stored]
        replaced: list[_Row] = [{"of": record.replaces} for record in new if record.replaces]
        steps = (
            # Had another instance been quicker, the new reply would find its place taken, which is an error.
            (forget_failed, replaced),
            (forget_key, replaced),
            (add_conversation, [_conversation_row(record) for record in new if record.position == 0]),
            (touch, [_touch(record) for record in new if record.position > 0 or record.replaces]),
            (add_user_message, [_user_row(record) for record in new if record.answers is None]),
            (add_reply, [_reply_row(record, name) for record in new]),
            (add_key, [_key_row(record) for record in new if record.idempotency]),
            (update_reply, [_reply_update(record, name) for record in records if record.stored]),
        )

        def write(connection: Connection) -> None:
            if is_fenced:
                fence(connection, name)
            for statement, rows in steps:
                if rows:
                    statement.run(connection, rows)

        return write

    return prepare


class _Statement:
    """A statement that is compiled once: to look at each value of each row anew would double what a reply costs.

    The driver gets the values as they are, so all have to be of types that it knows.
    """

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: tuple[str, Callable[[_Row], object]] | None = None

    def run(self, connection: Connection, rows: list[_Row]) -> None:
        """For each row once; all rows have the same names."""
        if self._compiled is None:
            compiled = self._statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
            names = compiled.positiontup or ()
            # Of one name, an itemgetter gives the value itself, which no driver accepts for a row.
            many: Callable[[_Row], object] = itemgetter(*names)
            self._compiled = compiled.string, many if len(names) > 1 else lambda row: tuple(row[name] for name in names)
        sql, values = self._compiled
        connection.exec_driver_sql(sql, [values(row) for row in rows])


_REPLY_COLUMNS = ("text", "state", "finish_reason", "error_code", "prompt_tokens", "completion_tokens", "words")
_IS_OURS = and_(
    messages.c.reply_id == bindparam("of"),
    messages.c.owner == bindparam("by"),
    or_(RUNNING, messages.c.state == bindparam("ends")),  # the same end may be stored twice
)
_UPDATE_REPLY = (
    update(messages)
    .where(messages.c.conversation_id == bindparam("in"), messages.c.position == bindparam("at"))
    # Given up by another instance, or replaced by another reply, it gets no role, which is an error.
    .values({name: bindparam(name) for name in _REPLY_COLUMNS} | {"role": case((_IS_OURS, messages.c.role))})
)
_FORGET_FAILED = delete(messages).where(
    messages.c.reply_id == bindparam("of"), text("state IN ('failed', 'interrupted')")
)
_FORGET_KEY = delete(idempotency_keys).where(idempotency_keys.c.reply_id == bindparam("of"))
_TOUCH = update(conversations).where(conversations.c.id == bindparam("of")).values(updated_ms=bindparam("updated_ms"))


def _conversation_row(record: ReplyRecord) -> _Row:
    return {
        "id": record.conversation_id,
        "title": title_of(record.user_message),
        "created_ms": record.created_ms,
        "updated_ms": record.created_ms,
        "principal": record.principal.name,
        "alias": record.alias,
    }


def _touch(record: ReplyRecord) -> _Row:
    return {"of": record.conversation_id, "updated_ms": record.created_ms}


def _user_row(record: ReplyRecord) -> _Row:
    return {
        "conversation_id": record.conversation_id,
        "position": record.position,
        "role": "user",
        "text": record.user_message,
        "created_ms": record.created_ms,
        "follows": record.follows,
    }


def _reply_row(record: ReplyRecord, owner: str) -> _Row:
    return _ending(record) | {
        "conversation_id": record.conversation_id,
        "position": record.position + 1,
        "role": "assistant",
        "created_ms": record.created_ms,
        "reply_id": record.reply_id,
        "owner": owner,
        "follows": record.answers,
    }


def _reply_update(record: ReplyRecord, owner: str) -> _Row:
    place = {"in": record.conversation_id, "at": record.position + 1}
    return _ending(record) | place | {"of": record.reply_id, "by": owner, "ends": record.state}


def _ending(record: ReplyRecord) -> _Row:
    usage = record.usage
    return {
        "text": record.text,
        "state": record.state,
        "finish_reason": record.finish_reason,
        "error_code": record.error_code,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "words": record.words,
    }


def _key_row(record: ReplyRecord) -> _Row:
    assert record.idempotency is not None  # noqa: S101 - the caller has looked
    return {
        "key": record.idempotency.key,
        "fingerprint": record.idempotency.fingerprint,
        "reply_id": record.reply_id,
        "created_ms": record.created_ms,
    }
