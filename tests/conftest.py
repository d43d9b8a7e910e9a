"""What all tests share: asyncio as the only event loop, a database, and the number of examples for each law."""

import os
from collections.abc import Collection, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from app import garbage, logs
from app.environment.variables import PREFIX
from tests.support import forks, laws
from tests.support.databases import KINDS, fresh_database_url, remove_all, use
from tests.support.progress import Progress
from tests.support.valkey import remove_shared

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

_HERE = Path(__file__).parent
_SLOW = {
    _HERE / name
    for name in (
        "bots/test_choosing.py",  # programs, one for each example
        "bots/test_local.py",  # a real model
        "bots/test_local_endurance.py",
        "bots/test_local_ends.py",
        "bots/test_local_leaving.py",
        "bots/test_local_refusals.py",
        "bots/test_openai_service.py",  # waits for its limits to end
        "browser",
        "contract/test_changes.py",  # programs
        "contract/test_fuzzing.py",
        "contract/test_in_process.py",
        "contract/test_lint.py",  # Node
        "contract/test_strangers.py",  # programs
        "contract/test_the_tests_bite.py",
        "deploy",  # servers of its own
        "dialects/test_openai_sdk.py",  # waits as that client does before it repeats a request
        "docs/test_commands.py",
        "docs/test_examples.py",  # a browser
        "docs/test_recipes.py",
        "docs/test_snippets.py",  # Node
        "instances/test_clocks.py",  # waits for leases to end
        "instances/test_deaths.py",  # programs
        "instances/test_drains.py",  # servers of its own
        "instances/test_races.py",  # servers of its own
        "instances/test_shared_logs.py",  # servers of its own
        "instances/test_valkey_faults.py",  # servers of its own
        "instances/test_valkey_start.py",  # servers of its own
        "laws/test_bots.py",
        "laws/test_cancel_elsewhere.py",  # waits for resume windows to end
        "laws/test_crash.py",
        "laws/test_retries.py",
        "laws/test_upstream_cancel.py",  # programs
        "live/test_drain.py",
        "live/test_failover.py",  # servers of its own
        "live/test_forward_proxies.py",  # programs
        "live/test_inherited.py",  # programs
        "live/test_keys.py",  # programs
        "live/test_logs.py",  # programs
        "live/test_metrics.py",  # programs
        "live/test_node.py",
        "live/test_retries.py",
        "live/test_openai_secrets.py",
        "live/test_outages.py",
        "live/test_secrets.py",
        "live/test_settings.py",  # programs
        "live/test_setup.py",  # programs
        "live/test_slow_clients.py",
        "live/test_traces.py",  # programs
        "live/test_versions.py",  # programs
        "live/test_workers.py",  # programs
        "sdk",
        "storage/test_finding.py",  # many conversations
        "storage/test_following.py",  # servers of its own
        "storage/test_growth.py",  # many conversations
        "storage/test_keys.py",  # programs
        "storage/test_leases.py",  # waits for leases to end
        "storage/test_migrations.py",
        "storage/test_opening.py",  # servers of its own
        "storage/test_operators.py",  # programs
        "storage/test_plans.py",
        "storage/test_pooler.py",  # programs
        "storage/test_search.py",  # waits for the index of all
        "storage/test_shared_limits.py",  # servers of its own
        "storage/test_updates.py",
        "verify",
    )
}
"""What `--fast` leaves out, unless requested by name."""
_LONG = [
    _HERE / name
    for name in (
        "docs/test_commands.py",
        "sdk/test_table.py",
        "verify/test_holding.py",
        "deploy/test_proxies.py",
        "deploy/test_verifying.py",
        "deploy/test_cluster.py",
        "deploy/test_load.py",
        "deploy/test_image.py",
        "storage/test_leases.py",
        "contract/test_fuzzing.py",
        "contract/test_strangers.py",
        "contract/test_in_process.py",
        "browser/test_markdown.py",
        "sdk/test_recommended.py",
        "browser/test_trouble.py",
        "browser/test_chat.py",
        "browser/test_branches.py",
        "browser/test_organising.py",
        "browser/test_growing.py",
        "browser/test_memory.py",
        "docs/test_recipes.py",
        "verify/test_faults.py",
        "browser/test_docs.py",
        "browser/test_firefox.py",
        "sdk/test_retries.py",
        "browser/test_accessible.py",
        "contract/test_statuses.py",
        "storage/test_conversations.py",
        "storage/test_keys.py",
        "laws/test_retries.py",
        "laws/test_cancel_elsewhere.py",
        "sdk/test_page.py",
        "browser/test_hands.py",
        "live/test_slow_clients.py",
        "contract/test_changes.py",
        "browser/test_keeping.py",
        "contract/test_the_tests_bite.py",
        "bots/test_local.py",
        "storage/test_following.py",
        "live/test_node.py",
        "laws/test_crash.py",
        "laws/test_resume.py",
        "live/test_settings.py",
        "live/test_drain.py",
        "sdk/test_openness.py",
        "bots/test_local_ends.py",
        "live/test_outages.py",
    )
]
"""The slowest files. With parallel workers they start first, so that none of them runs last."""
_LAWS, _LAWS_FAST = 40, 10
_DIED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--laws 10000` tries each law with this many examples; `--database postgresql` stores all conversations there."""
    parser.addoption("--fast", action="store_true", help="leave out what takes long, and try laws with few examples")
    parser.addoption("--laws", type=int, metavar="N", help=f"examples for each law (default: {_LAWS})")
    parser.addoption("--database", choices=KINDS, default=KINDS[0], help="where it does not matter (default: sqlite)")
    parser.addoption("--generators", action="store_true", help="also try the SDK generators that are not recommended")
    parser.addoption("--previous", metavar="REVISION", help="of the repository: the version that is updated from")


def pytest_configure(config: pytest.Config) -> None:
    """Create the profile for the laws: `@settings(settings.get_profile("laws"))`."""
    laws.use(config.option.laws)
    if config.option.laws is None:
        config.option.laws = _LAWS_FAST if config.option.fast else _LAWS
    settings.register_profile("laws", max_examples=config.option.laws, deadline=None)
    settings.register_profile("untimed", deadline=None)  # a busy machine must not fail a test
    settings.load_profile("untimed")
    use(config.getoption("database"))
    logs.configure("error", "json")  # not one line for each of thousands of requests
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]  # the user's own settings must not affect the tests


def pytest_sessionstart(session: pytest.Session) -> None:
    """Report each file when it is done; with workers, only in the reporting process."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    option = session.config.option
    if terminal is not None and option.verbose == 0 and not option.collectonly:
        session.config.pluginmanager.register(Progress(terminal))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController", error: object) -> None:
    """A worker process has ended; `error` says why if it was not asked to."""
    node.config.stash[_DIED] = node.config.stash.get(_DIED, default=False) or error is not None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """If a worker died, some tests may never have run, so that it is not enough to repeat those that failed."""
    if session.config.stash.get(_DIED, default=False):
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_unconfigure() -> None:
    """Leave no process or database behind."""
    forks.close()
    remove_shared()
    remove_all()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector the hundreds of thousands of objects that are collected, and stay."""
    with garbage.imports():
        collected = yield
    garbage.keep()
    return collected


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out slow tests on request."""
    return True if config.option.fast and collection_path in _SLOW else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out one kind of database on request, and put slow files first, with parallel workers.

    These run one test for each id, so ids must differ.
    """
    if len({item.nodeid for item in items}) < len(items):
        raise pytest.UsageError("two tests have the same id")
    if config.option.fast:  # SQLite stands for both
        items[:] = [item for item in items if "postgresql" not in _parameters(item)]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _LONG.index(item.path) if item.path in _LONG else len(_LONG))


def _parameters(item: pytest.Item) -> Collection[object]:
    return item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs only on asyncio."""
    return "asyncio"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database; the test runs once on each kind."""
    return fresh_database_url(request.param)
