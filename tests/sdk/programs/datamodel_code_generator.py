"""Asks with the client that datamodel-code-generator makes for httpx2, and `ask.py` beside it."""

from collections.abc import Generator
from contextlib import ExitStack, closing
from functools import cache

from chat_client.ask import Interrupted, ProblemError, Word, ask, follow
from chat_client.client import Client
from chat_client.client.errors import APIStatusError
from chat_client.client.options import UNSET
from chat_client.models import ChatRequest, Problem, Reply
from pydantic import MISSING
from telling import Asked, do_all, tell, tell_problem, tell_word


def do(asked: Asked) -> None:
    try:
        call(client_for(asked["url"], asked["key"]), asked)
    except (ProblemError, Interrupted) as error:
        if error.problem:
            tell_problem(error.problem.status, error.problem.type, typed=True)
        else:
            tell("cut", repr(error.__cause__))
    except APIStatusError as error:
        problem = error.body
        kind = problem.type if isinstance(problem, Problem) else ""
        tell_problem(error.status_code, kind, typed=isinstance(problem, Problem))


@cache
def client_for(url: str, key: str | None) -> Client:
    """One for all that a user asks: to make it costs more than to ask, because it loads the certificates to trust."""
    return clients.enter_context(Client(base_url=url, api_key=key))


def call(client: Client, asked: Asked) -> None:  # noqa: C901 - one case an operation
    retries = asked.get("retries", 5)
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
        case "getReply":
            tell("result", client.chat.get_reply(reply_id=asked["reply_id"]).text)
        case "createReply":
            tell("result", client.chat.create_reply(body=request(asked)).text)
        case "streamChat":
            read(ask(client, request(asked), key=asked.get("idempotency_key"), retries=retries), asked)
        case "streamReply":
            read(follow(client, asked["reply_id"], after=asked.get("cursor", UNSET), retries=retries), asked)
        case other:
            raise ValueError(other)


def request(asked: Asked) -> ChatRequest:
    return ChatRequest(user_message=asked["message"], conversation_id=asked.get("conversation_id", MISSING))


def read(events: Generator[Word | Reply], asked: Asked) -> None:
    with closing(events):
        for event in events:
            match event:
                case Word(id, text):
                    tell_word(text, id)
                    if asked.get("leave"):
                        return
                case Reply():
                    tell("done", event.model_dump(mode="json"))


with ExitStack() as clients:
    do_all(do)
