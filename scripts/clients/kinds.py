"""The clients that `scripts/sdk` generates: for each, the commands that generate it and check its types.

The first two are the recommended ones; this folder has the files that they need in addition to the contract. The others
are generated according to their documentation.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.clients.environment import ROOT, node_packages, run

HERE = Path(__file__).parent
CONTRACT = ROOT / "openapi.yaml"

_CODEGEN = (
    "datamodel-codegen --ignore-pyproject --input-file-type openapi --schema-version 3.1"
    " --output-model-type pydantic_v2.BaseModel --preset standard-py311-20261027 --target-pydantic-version 2.14"
    " --strict-refs --use-type-alias --enum-field-as-literal all --use-one-literal-as-default --use-missing-sentinel"
    " --openapi-scopes schemas api --disable-timestamp --formatters builtin --output chat_client/models.py"
    " --generate-client httpx2 --client-output chat_client/client --client-package chat_client.client"
    " --client-model-package chat_client.models --client-server-base-url http://127.0.0.1:8000"
)
"""The base URL is only for the examples in the client's README; each client is given the service's URL."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of client."""

    make: Callable[[Path, Path], None]
    """Generates into a new folder, from a document. Raises `GenerationFailed`."""
    check: tuple[str, ...]
    """The command that checks the client's types strictly."""
    is_recommended: bool = False


def _mypy(package: str) -> tuple[str, ...]:
    return ("mypy", "--config-file=", "--strict", "--package", package)


_TSC = ("tsc", "--project", ".")


def _python(folder: Path, document: Path) -> None:
    (folder / "chat_client").mkdir()
    (folder / "chat_client" / "__init__.py").touch()
    protocols = str(HERE / "python" / "protocols.json")
    run([*_CODEGEN.split(), "--input", str(document), "--client-protocols", protocols], folder)
    shutil.copy(HERE / "python" / "ask.py", folder / "chat_client")


def _typescript(folder: Path, document: Path) -> None:
    _for_node(folder)
    shutil.copy(HERE / "typescript" / "ask.ts", folder)
    run(["openapi-ts", "--input", str(document), "--output", "client"], folder)


def _openapi_typescript(folder: Path, document: Path) -> None:
    _for_node(folder)
    run(["openapi-typescript", str(document), "--output", "schema.ts"], folder)


def _openapi_generator(name: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, document: Path) -> None:
        if name.startswith("typescript"):
            _for_node(folder)
        arguments = ["--generator-name", name, "--input-spec", str(document), "--output", "."]
        run(["openapi-generator-cli", "generate", *arguments], folder)

    return make


def _openapi_python_client(folder: Path, document: Path) -> None:
    run(["openapi-python-client", "generate", "--path", str(document), "--output-path", ".", "--overwrite"], folder)


def _for_node(folder: Path) -> None:
    (folder / "node_modules").symlink_to(node_packages(), target_is_directory=True)
    shutil.copy(HERE / "typescript" / "tsconfig.json", folder)


KINDS = {
    "python": Kind(_python, _mypy("chat_client"), is_recommended=True),
    "typescript": Kind(_typescript, _TSC, is_recommended=True),
    "openapi-generator-python": Kind(_openapi_generator("python"), _mypy("openapi_client")),
    "openapi-generator-typescript": Kind(_openapi_generator("typescript-fetch"), _TSC),
    "openapi-typescript": Kind(_openapi_typescript, _TSC),
    "openapi-python-client": Kind(_openapi_python_client, _mypy("chat_backend_client")),
}
