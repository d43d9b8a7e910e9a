"""Uses openapi-python-client's client for httpx. It returns a stream only as a whole, at its end."""

import httpx
from chat_backend_client import AuthenticatedClient, Client
from chat_backend_client.api.chat import cancel_reply, create_reply, get_reply, stream_chat, stream_reply
from chat_backend_client.api.conversations import delete_conversation, get_conversation, list_conversations
from chat_backend_client.api.operations import get_health, get_readiness
from chat_backend_client.models import ChatRequest, Conversation, ConversationPage, Health, Problem, Readiness, Reply
from chat_backend_client.types import UNSET
from telling import Asked, do_all, tell, tell_problem


def do(asked: Asked) -> None:
    url, key = asked["url"], asked["key"]
    with AuthenticatedClient(url, token=key) if key else Client(url) as client:
        try:
            heard = call(client, asked)
        except httpx.TransportError as error:
            tell("cut", repr(error))
            return
    match heard:
        case Problem():
            tell_problem(heard.status, heard.type_, typed=True)
        case str() if asked["operation"].startswith("stream"):
            tell("whole", heard)
        case None:
            pass
        case _:
            tell("result", heard)


def call(client: AuthenticatedClient | Client, asked: Asked) -> str | list[str] | Problem | None:  # noqa: C901 - one case per operation
    match asked["operation"]:
        case "getHealth":
            health = get_health.sync(client=client)
            return health.message if isinstance(health, Health) else health
        case "getReadiness":
            readiness = get_readiness.sync(client=client)
            return readiness.message if isinstance(readiness, Readiness) else readiness
        case "listConversations":
            page = list_conversations.sync(client=client)
            return [each.conversation_id for each in page.conversations] if isinstance(page, ConversationPage) else page
        case "getConversation":
            conversation = get_conversation.sync(asked["conversation_id"], client=client)
            return (
                [each.text for each in conversation.messages]
                if isinstance(conversation, Conversation)
                else conversation
            )
        case "deleteConversation":
            deleted = delete_conversation.sync(asked["conversation_id"], client=client)
            return deleted if isinstance(deleted, Problem) else None
        case "cancelReply":
            cancelled = cancel_reply.sync(asked["reply_id"], client=client)
            return cancelled if isinstance(cancelled, Problem) else None
        case "getReply":
            reply = get_reply.sync(asked["reply_id"], client=client)
            return reply.text if isinstance(reply, Reply) else reply
        case "createReply":
            created = create_reply.sync(client=client, body=ChatRequest(user_message=asked["message"]))
            return created.text if isinstance(created, Reply) else created
        case "streamChat":
            body = ChatRequest(user_message=asked["message"], conversation_id=asked.get("conversation_id", UNSET))
            return stream_chat.sync(client=client, body=body, last_event_id=asked.get("cursor", UNSET))
        case "streamReply":
            return stream_reply.sync(asked["reply_id"], client=client, last_event_id_header=asked.get("cursor", UNSET))
        case other:
            raise ValueError(other)


do_all(do)
