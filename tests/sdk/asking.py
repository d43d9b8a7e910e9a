"""Runs the programs in `programs/`, which execute commands with the clients that `scripts/sdk` generates."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

from filelock import FileLock

from scripts.clients.environment import BUILD, GenerationFailed, environment, run
from scripts.clients.kinds import CONTRACT
from scripts.clients.making import make

PROGRAMS = Path(__file__).parent / "programs"
_PATIENCE_SECONDS = 60.0

Asked = Mapping[str, Any]
"""A command, as defined in `programs/telling`."""
Line = dict[str, Any]
"""A line of output: a `word` with `id`, `done`, `failed`, `refused`, `cut`, a `result`, or the `end` of a command."""


@dataclass(frozen=True, slots=True)
class Source:
    """A program, and the kind of client that it needs."""

    program: str
    kind: str


SOURCES = {
    "datamodel-code-generator and ask.py": Source("datamodel_code_generator.py", "python"),
    "hey-api and ask.ts": Source("hey_api.ts", "typescript"),
    "hey-api, alone": Source("hey_api_alone.ts", "typescript"),
    "openapi-typescript": Source("openapi_fetch.ts", "openapi-typescript"),
    "openapi-generator, typescript-fetch": Source("typescript_fetch.ts", "openapi-generator-typescript"),
    "openapi-generator, python": Source("openapi_generator.py", "openapi-generator-python"),
    "openapi-python-client": Source("openapi_python_client.py", "openapi-python-client"),
}
RECOMMENDED = ("datamodel-code-generator and ask.py", "hey-api and ask.ts")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is ready to run."""

    command: Sequence[str]
    folder: Path
    variables: Mapping[str, str]
    complaint: str
    """The errors of a strict type checker for its client and for the program that uses it."""


def prepared(source: Source, folder: Path, contract: Path = CONTRACT) -> Program:
    """Generate the client and compile the program, if necessary. A program for Python runs in `folder`."""
    is_released = contract.read_bytes() != CONTRACT.read_bytes()
    made = make(source.kind, BUILD / contract.stem if is_released else BUILD, contract=contract)
    program = PROGRAMS / source.program
    if program.suffix == ".py":
        path = os.pathsep.join(map(str, (made.folder, PROGRAMS)))
        variables = environment() | {"PYTHONPATH": path, "PYTHONWARNINGS": "error"}
        return Program(["python", str(program)], folder, variables, made.complaint or _complaint(program, path))
    programs = [other.program for other in SOURCES.values() if other.kind == source.kind and not is_released]
    sources = [PROGRAMS / name for name in ("telling.ts", *(programs or [source.program]))]
    folder = compiled(made.folder, made.folder.with_name(f"{made.folder.name}-programs"), sources)
    return Program(["node", f"js/{program.stem}.js"], folder, environment(), made.complaint)


def _complaint(program: Path, path: str) -> str:
    # The client itself is known to have no errors; with the same options, its cached types are used.
    try:
        run(["mypy", "--config-file=", "--strict", str(program)], PROGRAMS, MYPYPATH=path)
    except GenerationFailed as failure:
        return str(failure)
    return ""


def compiled(client: Path, folder: Path, sources: Sequence[Path]) -> Path:
    """The folder, with the programs for a client, compiled together: most of the time goes into the libraries' types.

    It is shared by all tests, and by later runs while the sources are the same. A `tsconfig.json` among these replaces
    the client's.
    """
    made = (client / "made.json", *sources)
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in made)).hexdigest()
    mark = folder / "compiled"
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not mark.exists() or mark.read_text("utf-8") != digest:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(client, folder, symlinks=True)
            for path in sources:
                shutil.copy(path, folder)
            run(["tsc", "--project", ".", "--noEmit", "false", "--outDir", "js", "--rootDir", "."], folder)
            mark.write_text(digest, "utf-8")
    return folder


@asynccontextmanager
async def asked(program: Program, *what: Asked) -> AsyncIterator[AsyncIterator[Line]]:
    """The program's lines of output as they arrive. Leaving the iteration early ends it.

    Raises `AssertionError` if it fails, `TimeoutError` if it never ends.
    """
    process = await asyncio.create_subprocess_exec(
        *program.command, cwd=program.folder, env=program.variables, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=2**22
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            yield _lines(process, json.dumps(what))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _lines(process: asyncio.subprocess.Process, asks: str) -> AsyncIterator[Line]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(asks.encode())
    process.stdin.close()
    async for line in process.stdout:
        yield json.loads(line)
    errors = (await process.stderr.read()).decode()
    assert await process.wait() == 0, errors


async def answers(program: Program, *what: Asked) -> list[list[Line]]:
    """The program's output for each of its commands."""
    told: list[list[Line]] = [[]]
    async with asked(program, *what) as lines:
        async for line in lines:
            if "end" in line:
                told.append([])
            else:
                told[-1].append(line)
    assert len(told) == len(what) + 1, told
    return told[:-1]


def words(lines: Sequence[Line]) -> list[Any]:
    """The words among them."""
    return [line["word"] for line in lines if "word" in line]
