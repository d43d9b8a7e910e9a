"""Uses openapi-generator's client for urllib3, and reads events from its bytes with sseclient-py."""

import json
from contextlib import closing

from openapi_client import ApiClient, ChatApi, ChatRequest, Configuration, ConversationsApi, OperationsApi, Problem
from openapi_client.exceptions import ApiException
from sseclient import SSEClient
from telling import Asked, do_all, tell, tell_problem, tell_word
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

STREAM = {"Accept": "text/event-stream"}
"""By default it only accepts `application/problem+json`: of several types, it chooses the one with JSON in its name."""


def do(asked: Asked) -> None:
    with ApiClient(Configuration(host=asked["url"], access_token=asked["key"])) as client:
        try:
            call(client, asked)
        except ApiException as error:
            kind = error.data.type if isinstance(error.data, Problem) else ""
            tell_problem(error.status, kind, typed=isinstance(error.data, Problem))


def call(client: ApiClient, asked: Asked) -> None:  # noqa: C901 - one case per operation
    chat, conversations, operations = ChatApi(client), ConversationsApi(client), OperationsApi(client)
    match asked["operation"]:
        case "getHealth":
            tell("result", operations.get_health().message)
        case "getReadiness":
            tell("result", operations.get_readiness().message)
        case "listConversations":
            page = conversations.list_conversations()
            tell("result", [conversation.conversation_id for conversation in page.conversations])
        case "getConversation":
            conversation = conversations.get_conversation(asked["conversation_id"])
            tell("result", [message.text for message in conversation.messages])
        case "deleteConversation":
            conversations.delete_conversation(asked["conversation_id"])
        case "cancelReply":
            chat.cancel_reply(asked["reply_id"])
        case "getReply":
            tell("result", chat.get_reply(asked["reply_id"]).text)
        case "createReply":
            tell("result", chat.create_reply(ChatRequest(user_message=asked["message"])).text)
        case "streamChat":
            body = ChatRequest(user_message=asked["message"], conversation_id=asked.get("conversation_id"))
            read(chat.stream_chat_without_preload_content(body, last_event_id=asked.get("cursor"), _headers=STREAM))
        case "streamReply":
            cursor = asked.get("cursor")
            read(chat.stream_reply_without_preload_content(asked["reply_id"], last_event_id=cursor, _headers=STREAM))
        case other:
            raise ValueError(other)


def read(response: BaseHTTPResponse) -> None:
    """Without preloaded content, responses are not checked, not even their status."""
    with closing(response):
        if response.status != 200:
            problem = Problem.from_json(response.data.decode())
            tell_problem(response.status, problem.type if problem else "", typed=False)
            return
        try:
            for event in SSEClient(response.stream()).events():
                match event.event:
                    case "message":
                        tell_word(event.data, event.id)
                    case name:
                        tell(name, json.loads(event.data))
                        return
        except HTTPError as error:
            tell("cut", repr(error))
            return
    tell("cut", "the stream ended without done")


do_all(do)
