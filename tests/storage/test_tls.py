"""TLS to PostgreSQL, by the `sslmode` of the URL: as strict as it says, and in one line if it cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.chat.errors import CannotStart
from app.storage.address import database_url as parsed
from app.storage.database import Database
from tests.support.certificates import certificate
from tests.support.databases import fresh_database_url
from tests.support.tls import tls_in_front

_PATIENCE_SECONDS = 5.0


def _served() -> tuple[Callable[[int, str, str], str], str]:
    """Gives the URL of a database by port, host and parameters; and the socket of its server."""
    address = fresh_database_url("postgresql")
    base, _, query = address.partition("?")
    name = base.rpartition("/")[2]
    folder = query.removeprefix("host=")

    def url(port: int, host: str, parameters: str) -> str:
        return f"postgresql://postgres@{host}:{port}/{name}?{parameters}"

    return url, f"{folder}/.s.PGSQL.5432"


async def _open(url: str) -> None:
    async with Database(parsed(url), _PATIENCE_SECONDS) as database:
        await database.store.check()


@pytest.mark.parametrize(
    ("parameters", "is_encrypted"),
    [
        ("sslmode=disable", False),
        ("sslmode=allow", False),
        ("", True),
        ("sslmode=prefer", True),
        ("sslmode=require", True),
        ("ssl=true", True),
        ("sslmode=no-verify", True),
        ("sslmode=require&channel_binding=require", True),
        ("sslmode=verify-ca&sslrootcert={certificate}", True),
        ("sslmode=verify-full&sslrootcert={certificate}", True),
    ],
)
async def test_a_connection_is_encrypted_as_sslmode_says(
    parameters: str,
    is_encrypted: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    """All six values, by their names and by those of other clients."""
    url, socket = _served()
    files = certificate(tmp_path, "localhost", "127.0.0.1")
    async with tls_in_front(socket, files) as (port, encrypted):
        await _open(url(port, "127.0.0.1", parameters.format(certificate=files[0])))
    assert set(encrypted) == {is_encrypted}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("sslmode=verify-full", "is not trusted"),
        ("sslmode=verify-full&sslrootcert=system", "is not trusted"),
        ("sslmode=verify-full&sslrootcert={certificate}", "is not trusted"),
        ("sslmode=verify-ca&sslrootcert={folder}/none.crt", "cannot be read"),
    ],
)
async def test_a_certificate_that_is_not_to_be_trusted_is_told(parameters: str, told: str, tmp_path: Path) -> None:
    """By authority or by name; nothing is sent to such a server."""
    url, socket = _served()
    files = certificate(tmp_path, "db.example.org")
    async with tls_in_front(socket, files) as (port, encrypted):
        with pytest.raises(CannotStart, match=told) as error:
            await _open(url(port, "127.0.0.1", parameters.format(certificate=files[0], folder=tmp_path)))
    assert str(error.value).startswith("CHAT_DATABASE_URL: ")
    assert encrypted == []


async def test_a_server_without_tls_is_told() -> None:
    """Where TLS is required; where it is only preferred, it does without."""
    url, socket = _served()
    async with tls_in_front(socket, None) as (port, encrypted):
        with pytest.raises(CannotStart, match=r"does not speak TLS\. Next: use sslmode=disable"):
            await _open(url(port, "127.0.0.1", "sslmode=require"))
        await _open(url(port, "127.0.0.1", "sslmode=prefer"))
    assert set(encrypted) == {False}
