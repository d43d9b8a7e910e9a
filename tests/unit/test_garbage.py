"""The garbage collector leaves alone what stays to the end of the process."""

import gc
import importlib
from contextlib import suppress

from app import garbage
from app.main import create_app
from app.server.lifespan import Lifespan
from tests.support.settings import Settings


async def test_what_the_service_has_made_when_it_starts_is_not_looked_at(database_url: str) -> None:
    """So a collection while it streams takes as long as its streams have objects."""
    app = create_app(Settings(database_url=database_url))
    made: list[object] = [[]]
    app.state.made_before = made
    lifespan = Lifespan(app, lambda: None, lambda: None)
    before = gc.get_freeze_count()
    await lifespan.startup()
    try:
        assert gc.get_freeze_count() > before
        assert not any(each is made for each in gc.get_objects())
    finally:
        await lifespan.shutdown()


def test_what_is_new_is_looked_at_seldom() -> None:
    """Most of it is of replies that are not over."""
    gc.set_threshold(700, 10, 10)  # Python's own
    garbage.keep()
    before = gc.get_stats()[0]["collections"]
    new: list[list[object]] = [[] for _ in range(5_000)]
    assert len(new) == 5_000
    assert gc.get_stats()[0]["collections"] - before <= 1


def test_imports_are_not_looked_at_and_the_rest_is_collected() -> None:
    """Also when an import has failed."""
    with suppress(ImportError), garbage.imports():
        assert not gc.isenabled()
        stays: list[object] = [[]]
        importlib.import_module("app.nothing")
    assert gc.isenabled()
    assert not any(each is stays for each in gc.get_objects())
