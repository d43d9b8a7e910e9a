"""schemathesis with the application in this process: a failure has its traceback in the service."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests

from app.main import create_app
from tests.contract.document import CLOSED, CONFIG, PLACES
from tests.contract.fuzzing import MAX_EXAMPLES, SEED
from tests.support.settings import Settings

_LABELS = [f"{method} {path}" for method, path in PLACES.values() if method != "HEAD"]  # GET's handlers answer it


@lru_cache(maxsize=1)
def _app(_label: str) -> FastAPI:
    """One for each operation, so that it meets nothing of what others leave behind."""
    return create_app(Settings(bot="simulator"))


def _answers(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(app=_app(case.operation.label))


@cache
def _tests() -> Mapping[str, Callable[[], None]]:
    """A test for each operation. They are made for all at once, whichever one is asked for.

    Here and not, as schemathesis would by itself, in each process that collects tests.
    """
    config = schemathesis.Config.from_path(CONFIG)
    config.update(seed=SEED, max_failures=None)
    config.projects.default.generation.update(max_examples=MAX_EXAMPLES // 2)  # the running service gets more
    contract = schemathesis.openapi.from_dict(CLOSED, config=config)
    found = get_all_tests(schema=contract, test_func=_answers, settings=None, given_kwargs=None)
    return {operation.label: test for operation, test in (result.ok() for result in found if isinstance(result, Ok))}


@pytest.mark.parametrize("label", _LABELS)
def test_every_operation_answers_as_documented(label: str) -> None:
    """Examples, boundary values and random ones, valid and invalid; all checks."""
    _tests()[label]()
