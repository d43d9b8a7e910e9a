"""Converts domain objects into the contract's models."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import MISSING

import generated.models
from app.chat import excerpts, model, stored
from app.chat.model import Snapshot
from app.chat.stored import ExportedMessage, ListPosition, Page, StoredConversation, StoredMessage
from app.http.problems import Problems
from generated.models import (
    Branches,
    Conversation,
    ConversationPage,
    ConversationSummary,
    Excerpt,
    ExcerptMatch,
    Feedback,
    Message,
    Reply,
    Usage,
)


def reply_shape(reply: Snapshot, problems: Problems) -> Reply:
    """The current state of a reply."""
    return Reply(
        reply_id=reply.reply_id,
        conversation_id=reply.conversation_id,
        state=reply.state,
        text=reply.text,
        words=reply.words,
        finish_reason=reply.finish_reason or MISSING,
        usage=usage_shape(reply.usage),
        omitted_messages=reply.omitted_messages or MISSING,
        problem=problems.of_reply(reply.error, reply) if reply.error else MISSING,
    )


def usage_shape(usage: model.Usage | None) -> Usage | MISSING:
    """The tokens that a reply cost, if known."""
    if usage is None:
        return MISSING
    return Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


def page_shape(page: Page[StoredConversation, ListPosition]) -> ConversationPage:
    """A page of the list of conversations."""
    after = page.next_cursor
    return ConversationPage(
        conversations=[summary_shape(conversation) for conversation in page.items],
        next_cursor=f"{after.updated_ms}-{after.conversation_id}" if after else MISSING,
    )


def summary_shape(conversation: StoredConversation) -> ConversationSummary:
    """A conversation without its messages."""
    return ConversationSummary(
        conversation_id=conversation.conversation_id,
        alias=conversation.alias or MISSING,
        title=conversation.title,
        created_at=time_text(conversation.created_ms),
        updated_at=time_text(conversation.updated_ms),
        excerpt=_excerpt_shape(conversation.excerpt) if conversation.excerpt else MISSING,
    )


def _excerpt_shape(excerpt: excerpts.Excerpt) -> Excerpt:
    return Excerpt(text=excerpt.text, matches=[ExcerptMatch(start=start, end=end) for start, end in excerpt.matches])


def conversation_shape(
    conversation: StoredConversation, messages: Iterable[StoredMessage], next_cursor: int | None = None
) -> Conversation:
    """A conversation and some of its messages."""
    return Conversation(
        conversation_id=conversation.conversation_id,
        alias=conversation.alias or MISSING,
        title=conversation.title,
        created_at=time_text(conversation.created_ms),
        updated_at=time_text(conversation.updated_ms),
        messages=[message_shape(message) for message in messages],
        next_cursor=MISSING if next_cursor is None else str(next_cursor),
    )


def time_text(milliseconds: int) -> str:
    """A time in the contract's format: UTC, always with milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_shape(message: StoredMessage) -> Message:
    """One message."""
    fork = message.fork
    return Message(
        role=message.role,
        text=message.text,
        created_at=time_text(message.created_ms),
        reply_id=message.reply_id or MISSING,
        state=message.state or MISSING,
        words=MISSING if message.words is None else message.words,
        finish_reason=message.finish_reason or MISSING,
        usage=usage_shape(message.usage),
        feedback=_feedback_shape(message.feedback),
        branches=Branches(index=fork.index, reply_ids=list(fork.reply_ids)) if fork else MISSING,
    )


def exported_shape(exported: ExportedMessage) -> generated.models.ExportedMessage:
    """A message, and its place among the others."""
    return generated.models.ExportedMessage(
        number=exported.position,
        follows=MISSING if exported.follows is None else exported.follows,
        is_chosen=exported.is_chosen,
        message=message_shape(exported.message),
    )


def _feedback_shape(given: stored.Feedback | None) -> Feedback | MISSING:
    return Feedback(rating=given.rating, note=given.note or MISSING) if given else MISSING
