"""The README's two clients print the reply, are strictly typed, and are made by the script that it names."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.clients.environment import BUILD, GenerationFailed, run
from scripts.clients.kinds import KINDS, Kind
from scripts.clients.making import make
from tests.docs.readme import ADDRESS, ROOT, block
from tests.support.server import LiveServer

_SCRIPT = ROOT / "scripts" / "sdk"
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

    def untyped(folder: Path) -> None:
        (folder / "untyped.py").write_text("def reply(text):\n    return text\n", "utf-8")

    def impossible(folder: Path) -> None:
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

    def noted(folder: Path) -> None:
        made.append(folder)

    for _ in range(2):
        make("noted", tmp_path, Kind(noted, ("true",)))
    assert made == [tmp_path / "noted"]


@pytest.mark.parametrize("language", ["python", "ts"])
def test_the_readmes_client_prints_the_reply(language: str, tmp_path: Path) -> None:
    """As it stands there."""
    with LiveServer("greeter", greeter_pace_ms=1) as server:
        code = block(language, "SDKs").text.replace(ADDRESS, server.url)
        printed = _python(code, tmp_path) if language == "python" else _typescript(code, tmp_path)
    assert printed.splitlines() == _SAID


def _python(code: str, folder: Path) -> str:
    (folder / "snippet.py").write_text(code, "utf-8")
    shutil.copytree(make("python").folder / "chat_client", folder / "chat_client")
    run(["mypy", "--config-file=", "--strict", "--follow-imports=silent", "snippet.py"], folder)
    return run(["python", "snippet.py"], folder)


def _typescript(code: str, folder: Path) -> str:
    shutil.copytree(make("typescript").folder, folder, symlinks=True, dirs_exist_ok=True)
    (folder / "snippet.ts").write_text(code, "utf-8")
    run(["tsc", "--project", ".", "--noEmit", "false", "--outDir", "js", "--rootDir", "."], folder)
    return run(["node", "js/snippet.js"], folder)
