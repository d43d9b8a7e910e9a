"""Asks with the client that datamodel-code-generator makes for httpx2."""

from contextlib import closing
from typing import assert_never

from chat_client.client import Client
from chat_client.client.errors import APIConnectionError, APIStatusError, ProtocolDataError, SDKError
from chat_client.client.options import UNSET, RetryOptions
from chat_client.client.protocols import EventStream, StreamOptions, UnknownEvent
from chat_client.models import ChatRequest, Problem, Reply
from pydantic import MISSING
from telling import Asked, do_all, tell, tell_problem, tell_word

RECONNECT = StreamOptions(reconnect=True)
AT_ONCE = RetryOptions(initial_delay=0.01, max_delay=0.01)


def do(asked: Asked) -> None:
    with Client(base_url=asked["url"], api_key=asked["key"], retry=AT_ONCE) as client:
        try:
            call(client, asked)
        except APIStatusError as error:
            problem = error.body
            kind = problem.type if isinstance(problem, Problem) else ""
            tell_problem(error.status_code, kind, typed=isinstance(problem, Problem))
        except APIConnectionError as error:
            tell("cut", repr(error))


def call(client: Client, asked: Asked) -> None:
    match asked["operation"]:
        case "getHealth":
            tell("result", client.operations.get_health().message)
        case "getReadiness":
            tell("result", client.operations.get_readiness().message)
        case "listConversations":
            page = client.conversations.list_conversations()
            tell("result", [conversation.conversation_id for conversation in page.conversations])
        case "getConversation":
            conversation = client.conversations.get_conversation(conversation_id=asked["conversation_id"])
            tell("result", [message.text for message in conversation.messages])
        case "deleteConversation":
            client.conversations.delete_conversation(conversation_id=asked["conversation_id"])
        case "cancelReply":
            client.chat.cancel_reply(reply_id=asked["reply_id"])
        case "streamChat":
            body = ChatRequest(user_message=asked["message"], conversation_id=asked.get("conversation_id", MISSING))
            stream = client.protocols.chat_events.open(
                body=body,
                idempotency_key=asked.get("idempotency_key", UNSET),
                last_event_id=asked.get("cursor", UNSET),
                stream_options=RECONNECT,
            )
            read(stream, leave=asked.get("leave", False))
        case "streamReply":
            reopened = client.protocols.reply_events.open(
                reply_id=asked["reply_id"], last_event_id=asked.get("cursor", UNSET), stream_options=RECONNECT
            )
            read(reopened, leave=asked.get("leave", False))
        case other:
            raise ValueError(other)


def read(stream: EventStream[Reply | UnknownEvent], *, leave: bool) -> None:
    with closing(stream):
        try:
            for event in stream:
                match event.data:
                    case UnknownEvent():  # a word: its data are text, not JSON
                        tell_word(event.raw_data, event.event_id)
                        if leave:
                            return
                    case Reply() as reply:
                        tell("done", reply.model_dump(mode="json"))
                        return
                    case never:
                        assert_never(never)
        except ProtocolDataError as error:
            if not isinstance(error.data, Problem):
                raise
            tell("failed", error.data.model_dump(mode="json"))
            return
        except SDKError as error:
            tell("cut", repr(error))
            return
    tell("cut", "the stream ended without done")


do_all(do)
