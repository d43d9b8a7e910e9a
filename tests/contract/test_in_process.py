"""schemathesis with the application in this process: a failure has its traceback in the service."""

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


@pytest.mark.parametrize("label", _LABELS)
def test_every_operation_answers_as_documented(label: str) -> None:
    """Examples, boundary values and random ones, valid and invalid; all checks.

    The cases are generated here and not, as schemathesis would by itself, in each process that collects tests.
    """
    config = schemathesis.Config.from_path(CONFIG)
    config.update(seed=SEED, max_failures=None)
    config.projects.default.generation.update(max_examples=MAX_EXAMPLES // 2)  # the running service gets more
    contract = schemathesis.openapi.from_dict(CLOSED, config=config).include(name=label)
    apps: list[FastAPI] = []

    def answers(case: schemathesis.Case[Any]) -> None:
        if not apps:
            apps.append(create_app(Settings(bot="simulator")))
        case.call_and_validate(app=apps[0])

    found = get_all_tests(schema=contract, test_func=answers, settings=None, given_kwargs=None)
    tests = [result.ok() for result in found if isinstance(result, Ok)]
    (test,) = [test for operation, test in tests if operation.label == label]  # settings of others add them
    test()
