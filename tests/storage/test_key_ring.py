"""Keys in memory follow those in the database, whatever happens meanwhile."""

import asyncio

import anyio
import pytest

from app.access import keys
from app.access.keys import KeyRing
from app.storage.address import database_url as parsed
from app.storage.database import Database
from tests.support.databases import fresh_database_url, run_sql
from tests.support.keys import made_key, revoke

_PATIENCE_SECONDS = 30.0


async def test_a_key_is_revoked_after_any_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is not the database's: here, of a row that somebody has edited by hand. The log has it."""
    monkeypatch.setattr(keys, "_LOOK_EVERY_SECONDS", 0.01)
    caplog.set_level("WARNING")
    url = fresh_database_url("sqlite")  # which stores text in a column for numbers
    shown, key_id = await made_key(url, "somebody")
    edited, _ = await made_key(url, "edited")
    async with Database(parsed(url), 5) as database, KeyRing(database.keys) as ring:
        grant = ring.grant(shown)
        assert grant is not None
        assert ring.grant(edited) is not None
        await run_sql(url, "UPDATE api_keys SET expires_ms = 'tomorrow' WHERE name = 'edited'")
        with anyio.fail_after(_PATIENCE_SECONDS):
            while not any("changes of API keys were not read: TypeError" in text for text in caplog.messages):
                await asyncio.sleep(0.01)
            await run_sql(url, "UPDATE api_keys SET expires_ms = NULL WHERE name = 'edited'")
            await revoke(url, key_id)
            while not grant.is_over:
                await asyncio.sleep(0.01)
    assert sum("changes of API keys" in text for text in caplog.messages) == 1
