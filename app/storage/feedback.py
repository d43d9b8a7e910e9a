"""What people think of replies, in SQL."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from app.chat.access import Principal
from app.chat.errors import ReplyNotFound
from app.chat.stored import Feedback, RatedReply
from app.storage.schema import conversations, feedback, messages


def give(connection: Connection, reply_id: str, principal: Principal, given: Feedback | None, now_ms: int) -> None:
    """Store it, or withdraw it for `None`. Raises `ReplyNotFound`."""
    theirs = (messages.c.reply_id == reply_id, conversations.c.principal == principal.name)
    conversation_id = connection.scalar(select(messages.c.conversation_id).join(conversations).where(*theirs))
    if conversation_id is None:
        raise ReplyNotFound
    if given is None:
        connection.execute(delete(feedback).where(feedback.c.reply_id == reply_id))
        return
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    said = {"rating": given.rating, "note": given.note, "created_ms": now_ms}
    new = upsert(feedback).values(reply_id=reply_id, conversation_id=conversation_id, **said)
    connection.execute(new.on_conflict_do_update(index_elements=["reply_id"], set_=said))


def on_replies(connection: Connection, reply_ids: Collection[str]) -> dict[str, Feedback]:
    """The feedback on those that have any."""
    if not reply_ids:
        return {}
    found = select(feedback.c.reply_id, feedback.c.rating, feedback.c.note).where(feedback.c.reply_id.in_(reply_ids))
    return {row.reply_id: Feedback(row.rating, row.note) for row in connection.execute(found)}


def rated(connection: Connection, after: str, limit: int) -> Sequence[RatedReply]:
    """Replies with feedback of all principals, by their ids; each with the message that it answers."""
    asked = messages.alias("asked")
    place = func.coalesce(messages.c.follows, messages.c.position - 1)
    # First the page, in the order of its index; joined with the messages, all that is behind it would be sorted.
    page = select(feedback).where(feedback.c.reply_id > after).order_by(feedback.c.reply_id).limit(limit)
    given = connection.execute(page).all()
    query = (
        select(messages.c.reply_id, messages.c.text, asked.c.text.label("user_message"))
        .join(asked, (asked.c.conversation_id == messages.c.conversation_id) & (asked.c.position == place))
        .where(messages.c.reply_id.in_([row.reply_id for row in given]))
    )
    said = {row.reply_id: row for row in connection.execute(query)} if given else {}
    return [
        RatedReply(
            row.reply_id,
            row.conversation_id,
            row.created_ms,
            Feedback(row.rating, row.note),
            said[row.reply_id].user_message,
            said[row.reply_id].text,
        )
        for row in given
        if row.reply_id in said  # else it has been deleted meanwhile
    ]
