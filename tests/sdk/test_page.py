"""The page's clients print the reply, are strictly typed, and the recommended ones are made by the script it names."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.clients.environment import BUILD, ROOT, GenerationFailed, run
from scripts.clients.kinds import KINDS, Kind
from scripts.clients.making import make
from tests.docs.pages import ADDRESS, PAGES
from tests.support.cutting import Cut, CuttingProxy
from tests.support.server import LiveServer

_SCRIPT = ROOT / "scripts" / "sdk"
_FOR_NODE = "Object.assign(globalThis, { window: globalThis, document: { removeEventListener() {} } });\n"
"""What fetch-event-source wants of a browser."""
_SAID = ["Hi ", "there! ", "How ", "can ", "I ", "help ", "you ", "today?", "stop"]


def _sdk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_SCRIPT, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


def test_the_script_makes_the_recommended_clients(tmp_path: Path) -> None:
    """In build/sdk, or where it is told to; and says where they are."""
    there, elsewhere = _sdk(), _sdk("typescript", "--out", str(tmp_path / "sdk"))
    assert (there.returncode, elsewhere.returncode) == (0, 0), there.stdout + elsewhere.stdout
    rows = [line.split() for done in (there, elsewhere) for line in done.stdout.splitlines()]
    recommended = [name for name, kind in KINDS.items() if kind.is_recommended]
    assert rows == [
        *[["ok", name, "strictly", "typed", f"build/sdk/{name}"] for name in recommended],
        ["ok", "typescript", "strictly", "typed", str(tmp_path / "sdk" / "typescript")],
    ]
    assert (BUILD / "python" / "chat_client" / "models.py").is_file()
    assert (tmp_path / "sdk" / "typescript" / "client" / "sdk.gen.ts").is_file()


def test_the_script_names_the_clients_that_there_are() -> None:
    """To who asks for another one, and to who asks for help."""
    refused, helped = _sdk("cobol"), _sdk("--help")
    assert (refused.returncode, helped.returncode) == (2, 0)
    for name in KINDS:
        assert name in refused.stderr
        assert name in helped.stdout


def test_a_client_that_is_not_strictly_typed_is_found_out(tmp_path: Path) -> None:
    """And a program that fails is told of, with what it has said."""

    def untyped(folder: Path, _: Path) -> None:
        (folder / "untyped.py").write_text("def reply(text):\n    return text\n", "utf-8")

    def impossible(folder: Path, _: Path) -> None:
        run(["openapi-typescript", "no-such-contract.json"], folder)

    check = KINDS["python"].check
    assert "no-untyped-def" in make("untyped", tmp_path, Kind(untyped, (*check[:-1], "untyped"))).complaint
    with pytest.raises(GenerationFailed, match="no-such-contract"):
        make("impossible", tmp_path, Kind(impossible, check))


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """Even if it has a client's name."""
    work = tmp_path / "typescript" / "work.ts"
    work.parent.mkdir()
    work.touch()
    done = _sdk("typescript", "--out", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path / 'typescript'} is there, and not from here. Next: " in done.stdout
    assert list(work.parent.iterdir()) == [work]


def test_a_client_is_made_once(tmp_path: Path) -> None:
    """Until what it is made of changes."""
    made = []

    def noted(folder: Path, _: Path) -> None:
        made.append(folder)

    for _ in range(2):
        make("noted", tmp_path, Kind(noted, ("true",)))
    assert made == [tmp_path / "noted"]


def test_the_python_client_prints_the_reply(tmp_path: Path) -> None:
    """As it stands there."""
    code = _code("python", "Python")
    shutil.copytree(make("python").folder / "chat_client", tmp_path / "chat_client")
    with LiveServer("greeter", greeter_pace_ms=1) as server:
        (tmp_path / "snippet.py").write_text(code.replace(ADDRESS, server.url), "utf-8")
        run(["mypy", "--config-file=", "--strict", "--follow-imports=silent", "snippet.py"], tmp_path)
        printed = run(["python", "snippet.py"], tmp_path)
    assert printed.splitlines() == _SAID


async def test_the_typescript_clients_print_the_reply(tmp_path: Path) -> None:
    """As they stand there, in Node; fetch-event-source's connection is lost twice, once cleanly."""
    shutil.copytree(make("typescript").folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    client, recipe = _code("ts", "TypeScript"), _code("ts", "fetch-event-source")

    async def at_once(_: int) -> None:
        pass

    with LiveServer("greeter", greeter_pace_ms=1) as server:
        async with (
            CuttingProxy(server.port, [Cut(3, 7)], at_once) as cut_once,
            CuttingProxy(server.port, [Cut(2, 7, cleanly=True), Cut(2, 7)], at_once) as cut_twice,
        ):
            (tmp_path / "snippet.ts").write_text(client.replace(ADDRESS, cut_once.url), "utf-8")
            (tmp_path / "recipe.ts").write_text(
                _FOR_NODE + recipe.replace(ADDRESS, cut_twice.url).replace("1000", "10"), "utf-8"
            )
            run(["tsc", "--project", ".", "--noEmit", "false", "--outDir", "js", "--rootDir", "."], tmp_path)
            for name in ("snippet", "recipe"):
                printed = await asyncio.to_thread(run, ["node", f"js/{name}.js"], tmp_path)
                assert printed.splitlines() == _SAID


def _code(language: str, section: str) -> str:
    return PAGES["sdks.md"].block(language, section).text
