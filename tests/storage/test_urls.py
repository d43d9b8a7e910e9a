"""`CHAT_DATABASE_URL` as people have it: each form in the documentation, and what the driver would misunderstand."""

import logging
from pathlib import Path

import pytest
from asyncpg.connect_utils import SSLMode, _parse_connect_dsn_and_args

from app.chat.errors import Misconfigured
from app.storage.address import PostgresServers, SqliteFile
from app.storage.address import database_url as parsed
from tests.docs.pages import PAGES

_SECRET = "s3cr3t"  # noqa: S105 - of nobody
_ROWS = PAGES["operators.md"].tables("Databases")[0]


class _Understood:
    """What the driver makes of the URL that it gets for a server."""

    def __init__(self, url: str) -> None:
        names = (
            "host port user password passfile database ssl service servicefile direct_tls server_settings "
            "target_session_attrs krbsrvname gsslib"
        )
        self.addresses, parameters = _parse_connect_dsn_and_args(dsn=url, **dict.fromkeys(names.split()))
        self.login = (parameters.user, parameters.password)
        self.database = parameters.database
        self.ssl = parameters.sslmode
        self.settings = parameters.server_settings or {}
        self.wanted = parameters.target_session_attrs.value


def _understood(url: str) -> list[_Understood]:
    address = parsed(url)
    assert isinstance(address, PostgresServers)
    assert _SECRET not in repr(address)
    return [_Understood(url) for url in address.urls]


@pytest.fixture(autouse=True)
def _at_nobodys_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The driver looks for files and variables of the user."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("_name", "url"), _ROWS, ids=[row[0] for row in _ROWS])
def test_a_url_of_the_documentation_is_understood(_name: str, url: str) -> None:
    """By the driver, too: user, password, hosts and database are what a reader sees; the server gets nothing odd."""
    url = url.strip("`").replace("PASSWORD", _SECRET)
    for understood in _understood(url):
        rest = url.partition("://")[2]
        user, password = understood.login
        if "@" in rest:
            assert rest.startswith(user)
        assert password == (_SECRET if _SECRET in url else None)
        assert f"/{understood.database}" in rest
        for address in understood.addresses:
            named = address.rpartition("/.s.")[0] if isinstance(address, str) else address[0]
            assert named in url or "@" not in rest
            assert isinstance(address, str) or f":{address[1]}" in rest or address[1] == 5432
        assert understood.settings.keys() <= {"options"}
        assert ("sslmode=require" in url or "ssl=require" in url) == (understood.ssl == SSLMode.require)


@pytest.mark.parametrize(
    ("url", "login", "address"),
    [
        ("postgresql://chat:a@b:c@db/chat", ("chat", "a@b:c"), ("db", 5432)),
        ("postgresql://chat:a%40b%2F%23%25@db/chat", ("chat", "a@b/#%"), ("db", 5432)),
        ("postgresql://chat:a+b@db/chat", ("chat", "a+b"), ("db", 5432)),
        ("postgresql://chat:100%@db/chat", ("chat", "100%"), ("db", 5432)),
        ("postgresql://chat@server:a@db/chat", ("chat@server", "a"), ("db", 5432)),
        ("postgresql://db/chat?user=chat&password=a+b", ("chat", "a+b"), ("db", 5432)),
        ("postgresql://chat:a@db/chat?port=6000", ("chat", "a"), ("db", 6000)),
        ("postgresql://chat:a@[::1]:6000/chat", ("chat", "a"), ("::1", 6000)),
        ("postgresql://chat:a@%2Frun%2Fpg/chat", ("chat", "a"), "/run/pg/.s.PGSQL.5432"),
        ("postgresql://chat:a@/chat?host=/run/pg&port=6000", ("chat", "a"), "/run/pg/.s.PGSQL.6000"),
        ("POSTGRES://chat:a@db/chat?hostaddr=", ("chat", "a"), ("db", 5432)),
        ("postgresql+psycopg2://chat:a@db/chat", ("chat", "a"), ("db", 5432)),
    ],
)
def test_passwords_and_ports_are_what_was_meant(url: str, login: tuple[str, str], address: object) -> None:
    """Where the driver itself would take another password, or another port, without a word."""
    (understood,) = _understood(url)
    assert understood.login == login
    assert understood.addresses == [address]
    assert understood.database == "chat"


@pytest.mark.parametrize(
    ("url", "addresses", "wanted"),
    [
        ("postgresql://u@a:1,b:2/chat", [("a", 1), ("b", 2)], "read-write"),
        ("postgresql://u@a,b:2/chat?port=7", [("a", 7), ("b", 2)], "read-write"),
        ("postgresql://u@/chat?host=a,b&port=1,2", [("a", 1), ("b", 2)], "read-write"),
        ("postgresql://u@/chat?host=a:1&host=b:2", [("a", 1), ("b", 2)], "read-write"),
        ("postgresql://u@a,b/chat?target_session_attrs=primary", [("a", 5432), ("b", 5432)], "primary"),
        ("postgresql://u@a/chat", [("a", 5432)], "any"),
    ],
)
def test_of_several_servers_the_one_that_can_be_written_to_is_wanted(
    url: str, addresses: list[tuple[str, int]], wanted: str
) -> None:
    """Each is asked by itself, so that one that is silent does not use up the time of all."""
    understood = _understood(url)
    assert [address for one in understood for address in one.addresses] == addresses
    assert {one.wanted for one in understood} == {wanted}


@pytest.mark.parametrize(
    ("parameters", "settings"),
    [
        ("options=endpoint%3Dep-1", {"options": "endpoint=ep-1"}),
        ("options=-c%20statement_timeout%3D5s", {"options": "-c statement_timeout=5s"}),
        ("application_name=chat", {"application_name": "chat"}),
        ("fallback_application_name=chat", {"application_name": "chat"}),
        ("schema=app", {"search_path": "app"}),
        ("statement_timeout=5000", {"statement_timeout": "5000"}),
        ("connect_timeout=10&keepalives_idle=30&gssencmode=disable&pool_timeout=0", {}),
        ("pgbouncer=true&connection_limit=1&pool_size=5&channel_binding=prefer", {}),
        ("sslmode&&=", {}),
    ],
)
def test_only_what_is_for_the_server_is_sent_to_it(parameters: str, settings: dict[str, str]) -> None:
    """What is for other clients would make it refuse the connection."""
    if parameters.endswith("="):
        with pytest.raises(Misconfigured, match="a parameter has no name"):
            parsed(f"postgresql://u@db/chat?{parameters}")
        return
    assert _understood(f"postgresql://u@db/chat?{parameters}")[0].settings == settings


def test_what_is_ignored_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """By name, without its value."""
    with caplog.at_level(logging.INFO):
        parsed("postgresql://u:s3cr3t@db/chat?channel_binding=require&pool_timeout=7")
    assert caplog.messages == ["CHAT_DATABASE_URL: ignored channel_binding, pool_timeout"]


@pytest.mark.parametrize(
    ("parameters", "prepares"),
    [
        ("", True),
        ("pgbouncer=true", False),
        ("pgbouncer=false", True),
        ("prepared_statements=false", False),
        ("statement_cache_size=0", False),
        ("prepared_statement_cache_size=100", True),
    ],
)
def test_prepared_statements_can_be_turned_off(parameters: str, prepares: bool) -> None:  # noqa: FBT001 - a parameter
    """By the names that other clients have for that."""
    address = parsed(f"postgresql://u@db/chat?{parameters}")
    assert isinstance(address, PostgresServers)
    assert address.prepares is prepares


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr3t/@db/chat",
        "postgresql://u:s3cr3t#@db/chat",
        "postgresql://u:s3cr3t?@db/chat",
        "postgresql://u:[s3cr3t]@db/chat",
        "postgresql://u:s3cr3t/x",
        "postgresql://u@db:s3cr3t/chat",
        "postgresql://u:s3cr3t@db/chat?sslmode=s3cr3t",
        "postgresql://u:s3cr3t@db/chat?connect_timeout=s3cr3t",
        "postgresql://u:s3cr3t@db/chat?gssencmode=require",
        "postgresql://u@db/chat?require_auth=s3cr3t",
        "postgresql://u:s3cr3t@db/chat?sslcrldir=/etc/crl",
        "postgresql://u:s3cr3t@a,,b/chat",
        "postgresql://u:s3cr3t@a,b/chat?port=1,2,3",
        "postgresql://u:s3cr3t@a/chat?=s3cr3t",
        "mysql://u:s3cr3t@db/chat",
        "sqlite:///:memory:",
        "sqlite:///chat.db?mode=s3cr3t",
    ],
)
def test_what_cannot_be_understood_is_one_line_without_the_password(url: str) -> None:
    """Whatever might be one is not repeated: half of a password can look like a port."""
    with pytest.raises(Misconfigured) as error:
        parsed(url)
    line = str(error.value)
    assert line.startswith("CHAT_DATABASE_URL: ")
    assert ". Next: " in line
    assert "\n" not in line
    assert _SECRET not in line


@pytest.mark.parametrize("file", ["chat.db", "/var/lib/chat/chat.db", "C:/data/chat.db", "../a b/chat.db", "100%.db"])
def test_a_sqlite_url_names_a_path(file: str) -> None:
    """Whatever is in it, and whatever driver the URL was written for."""
    for driver in ("", "+aiosqlite"):
        assert parsed(f"sqlite{driver}:///{file}") == SqliteFile(Path(file))
