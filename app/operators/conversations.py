"""`python -m app conversations ...`: export or delete conversations, export feedback. The server may run."""

import argparse
import asyncio
import json
import sys
import time

from app.chat.errors import ConversationNotFound
from app.chat.stored import RatedReply
from app.http.exports import as_json, as_markdown, pages_of
from app.http.shapes import time_text
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
        export="print a conversation",
        feedback="print what people think of replies, as a line of JSON each",
        purge="delete conversations whose last message is older than this",
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
                asyncio.run(_export(settings, given.conversation_id, given.format))
            case "feedback":
                asyncio.run(_feedback(settings))
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


async def _export(settings: Settings, conversation_id: str, form: str) -> None:
    write = as_json if form == "json" else as_markdown
    async with opened(settings) as transactions:
        async for piece in write(pages_of(_store(transactions), conversation_id, None)):
            _print(piece)
    if form == "json":
        _print("\n")


async def _feedback(settings: Settings) -> None:
    async with opened(settings) as transactions:
        store = _store(transactions)
        after = ""
        while rated := await store.rated(after, _PAGE):
            for reply in rated:
                _print(_line(reply))
            after = rated[-1].reply_id


def _line(reply: RatedReply) -> str:
    note = {} if reply.feedback.note is None else {"note": reply.feedback.note}
    told = {
        "reply_id": reply.reply_id,
        "conversation_id": reply.conversation_id,
        "rated_at": time_text(reply.created_ms),
        "rating": reply.feedback.rating,
        **note,
        "user_message": reply.user_message,
        "reply": reply.text,
    }
    return json.dumps(told, ensure_ascii=False) + "\n"


def _print(text: str) -> None:
    sys.stdout.buffer.write(text.encode())  # whatever the terminal's encoding is


async def _purge(settings: Settings, days: float) -> int:
    async with opened(settings) as transactions:
        store = _store(transactions)
        return await store.purge(time.time_ns() // 1_000_000 - int(days * _DAY_MS))


def _store(transactions: Transactions) -> SqlStore:
    return SqlStore(transactions, GroupWriter(transactions))
