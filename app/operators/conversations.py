"""`python -m app conversations ...`: export or delete stored conversations. The server may be running."""

import argparse
import asyncio
import json
import sys
import time

from app.chat.errors import ConversationNotFound
from app.chat.model import MessagesPage, StoredConversation, StoredMessage
from app.http.shapes import conversation_shape, message_shape, time_text
from app.operators.arguments import Parser
from app.operators.opened import opened, told
from app.settings import Settings
from app.storage.sql import SqlStore
from app.storage.transactions import Transactions
from app.storage.writer import GroupWriter

_PAGE = 100
_DAY_MS = 24 * 3600 * 1000


def main(arguments: list[str], settings: Settings) -> int:
    """Do what the arguments say. Returns the exit status."""
    parser = Parser(prog="python -m app conversations", description=__doc__.partition(": ")[2])
    commands = parser.add_commands(
        export="print a conversation", purge="delete conversations whose last message is older than this"
    )
    commands["export"].add_argument("conversation_id")
    commands["export"].add_argument("--format", choices=("json", "markdown"), default="json")
    commands["purge"].add_argument("--older-than", type=_days, required=True, metavar="DAYS")
    given = parser.parse(arguments)
    return told(lambda: _done(settings, given))


def _done(settings: Settings, given: argparse.Namespace) -> int:
    try:
        match given.command:
            case "export":
                exported = asyncio.run(_export(settings, given.conversation_id, given.format))
                sys.stdout.buffer.write(exported.encode())  # whatever the terminal's encoding is
            case _:
                gone = asyncio.run(_purge(settings, given.older_than))
                sys.stdout.write(f"{gone} conversations deleted\n")
    except ConversationNotFound:
        sys.stderr.write("No conversation has this id. GET /api/conversations lists all conversations.\n")
        return 1
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days <= 36_500:  # noqa: PLR2004 - a century
        msg = "not a number of days"
        raise argparse.ArgumentTypeError(msg)
    return days


async def _export(settings: Settings, conversation_id: str, form: str) -> str:
    messages: list[StoredMessage] = []
    async with opened(settings) as transactions:
        store = _store(transactions)
        cursor = None
        while True:
            conversation, page = await store.messages(conversation_id, None, MessagesPage(_PAGE, cursor))
            messages += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    return _json(conversation, messages) if form == "json" else _markdown(conversation, messages)


async def _purge(settings: Settings, days: float) -> int:
    async with opened(settings) as transactions:
        store = _store(transactions)
        return await store.purge(time.time_ns() // 1_000_000 - int(days * _DAY_MS))


def _store(transactions: Transactions) -> SqlStore:
    return SqlStore(transactions, GroupWriter(transactions))


def _json(conversation: StoredConversation, messages: list[StoredMessage]) -> str:
    body = conversation_shape(conversation, ()).model_dump()
    body["messages"] = [message_shape(message).model_dump() for message in messages]
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _markdown(conversation: StoredConversation, messages: list[StoredMessage]) -> str:
    parts = [f"# {conversation.title}\n"]
    for message in messages:
        state = f" ({message.state})" if message.state not in {None, "completed"} else ""
        parts.append(f"## {message.role.capitalize()}, {time_text(message.created_ms)}{state}\n\n{message.text}\n")
    return "\n".join(parts)
