"""What an operator does wrong about the Valkey server keeps the service from starting, in one line."""

import pytest

from app.chat.errors import CannotStart
from app.main import create_app
from tests.support.databases import fresh_database_url
from tests.support.settings import Settings
from tests.support.talk import replied, service
from tests.support.valkey import Valkey


async def _refusal(url: str) -> str:
    settings = Settings.model_validate({"database_url": fresh_database_url("postgresql"), "valkey_url": url})
    app = create_app(settings)
    with pytest.raises(CannotStart) as refused:
        async with app.router.lifespan_context(app):
            pass
    line = str(refused.value)
    assert line.startswith("CHAT_VALKEY_URL: ")
    assert " Next: " in line
    return line


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:secret@"])
async def test_a_server_that_refuses_us(credentials: str) -> None:
    """It has to be corrected, and will not pass by itself."""
    with Valkey(requirepass="secret") as server:
        url = server.url.replace("://", f"://{credentials}")
        assert "the server refuses the password, or the user" in await _refusal(url)
        async with service(
            fresh_database_url("postgresql"), valkey_url=server.url.replace("://", "://default:secret@")
        ) as (client, _):
            assert (await replied(client, "hello")).state == "completed"


async def test_a_server_in_cluster_mode() -> None:
    """Keys of one service would be on different servers."""
    with Valkey(cluster_enabled="yes") as server:
        assert "the server is part of a cluster" in await _refusal(server.url)


async def test_without_postgresql_it_has_no_effect() -> None:
    """SQLite has one instance."""
    async with service(fresh_database_url("sqlite"), valkey_url="redis://127.0.0.1:1") as (client, _):
        assert (await replied(client, "hello")).state == "completed"
