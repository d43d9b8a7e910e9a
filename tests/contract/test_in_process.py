"""schemathesis through pytest, with the application in this process: a failure has its traceback in the service."""

from functools import cache
from typing import Any

import schemathesis
from fastapi import FastAPI

from app.main import create_app
from tests.contract.document import CLOSED, CONFIG
from tests.contract.fuzzing import SEED
from tests.support.settings import Settings

_config = schemathesis.Config.from_path(CONFIG)
_config.update(seed=SEED, max_failures=None)
CONTRACT = schemathesis.openapi.from_dict(CLOSED, config=_config).exclude(method="HEAD")  # GET's handlers answer it


@cache
def application(_operation: str) -> FastAPI:
    """One application per operation: schemathesis runs the lifespan around each test, and ours runs only once."""
    return create_app(Settings(bot="simulator"))


@CONTRACT.parametrize()
def test_every_operation_answers_as_documented(case: schemathesis.Case[Any]) -> None:
    """Examples, boundary values and random ones, valid and invalid; all checks."""
    case.call_and_validate(app=application(case.operation.label))
