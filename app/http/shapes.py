"""The domain's things in the shapes that the contract gives them."""

from pydantic import MISSING

from app.chat import model
from app.chat.production import RunningReply
from generated.models import Reply, Usage


def reply_shape(reply: RunningReply, done: model.Done) -> Reply:
    """A reply that has come to its good end."""
    return Reply(
        reply_id=reply.reply_id,
        conversation_id=reply.record.conversation_id,
        text=done.text,
        finish_reason=done.finish_reason,
        usage=MISSING if done.usage is None else usage_shape(done.usage),
    )


def usage_shape(usage: model.Usage) -> Usage:
    """What a reply has cost."""
    return Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)
