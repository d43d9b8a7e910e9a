"""`python -m app keys ...`: API keys. The server may be running; it notices changes within seconds."""

import argparse
import asyncio
import re
import sys
import time
from datetime import UTC, datetime, timedelta

from app.access.keys import new_key
from app.chat.access import ApiKey
from app.operators.arguments import Parser
from app.operators.opened import NeverUsed, opened, told
from app.settings import Settings
from app.storage.keys import SqlKeyStore


def main(arguments: list[str], settings: Settings) -> int:
    """Do what the arguments say. Returns the exit status."""
    parser = Parser(prog="python -m app keys", description=__doc__.partition(": ")[2])
    commands = parser.add_commands(
        create="create a key, and print it this once",
        list="list all keys, without their secrets",
        revoke="revoke a key; open streams that use it are closed",
    )
    commands["create"].add_argument("name", help="the principal; keys of the same name open the same conversations")
    commands["create"].add_argument(
        "--expires", type=_moment, metavar="DAYS|DATE", help="a number of days, or a date (UTC); by default never"
    )
    commands["revoke"].add_argument("key_id", help="the id that `list` prints")
    given = parser.parse(arguments)
    match given.command:
        case "create":
            return told(lambda: asyncio.run(_create(settings, given.name, given.expires)))
        case "list":
            return told(lambda: asyncio.run(_list(settings)))
        case _:
            return told(lambda: asyncio.run(_revoke(settings, given.key_id)))


def are_needed(settings: Settings) -> bool:
    """Whether the service would require credentials; with a new database, it would not.

    Raises `CannotStart` for a database that cannot be opened, and `StorageUnavailable`.
    """
    if settings.jwt_issuer is not None:
        return True

    async def has_keys() -> bool:
        async with opened(settings) as transactions:
            return any(True for _ in await SqlKeyStore(transactions).keys())

    try:
        return asyncio.run(has_keys())
    except NeverUsed:
        return False


async def _create(settings: Settings, name: str, expires_ms: int | None) -> int:
    try:
        shown, key = new_key(name, expires_ms)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    async with opened(settings, create=True) as transactions:
        await SqlKeyStore(transactions).add_key(key)
    sys.stdout.write(f"{shown}\n")
    sys.stderr.write("Keep this key: it is shown only once, and stored as a hash.\n")
    return 0


async def _list(settings: Settings) -> int:
    async with opened(settings) as transactions:
        keys = list(await SqlKeyStore(transactions).keys())
    now_ms = time.time_ns() // 1_000_000
    rows = [(key.key_id, key.name, _day(key.created_ms), _state(key, now_ms)) for key in keys]
    for key_id, name, created, state in [("ID", "NAME", "CREATED", "STATE"), *rows]:
        sys.stdout.write(f"{key_id:16}  {name:22}  {created:10}  {state}\n")
    return 0


async def _revoke(settings: Settings, key_id: str) -> int:
    async with opened(settings) as transactions:
        found = await SqlKeyStore(transactions).revoke_key(key_id, time.time_ns() // 1_000_000)
    if not found:
        sys.stderr.write("No key has this id. `python -m app keys list` lists all keys.\n")
        return 1
    sys.stdout.write("revoked\n")
    return 0


def _state(key: ApiKey, now_ms: int) -> str:
    if key.revoked_ms is not None:
        return f"revoked {_day(key.revoked_ms)}"
    if key.expires_ms is None:
        return "good"
    return f"{'good until' if key.is_good(now_ms) else 'expired'} {_day(key.expires_ms)}"


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _moment(text: str) -> int:
    """Milliseconds since 1970."""
    try:
        if re.fullmatch("[0-9]{1,5}", text):
            moment = datetime.now(UTC) + timedelta(days=int(text))
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        msg = "neither a number of days nor a date such as 2027-01-31"
        raise argparse.ArgumentTypeError(msg) from None
    if moment <= datetime.now(UTC):
        msg = "this is not in the future"
        raise argparse.ArgumentTypeError(msg)
    return int(moment.timestamp() * 1000)
