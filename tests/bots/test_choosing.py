"""Which bot is used: one of the service's own, or one from an installed package; or an error with the next step."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.chat.errors import BotNotConfigured
from app.main import create_app
from tests.support.asgi import Client
from tests.support.settings import Settings
from tests.support.talk import replied

_ROOT = Path(__file__).parent.parent.parent
_OWN = ["greeter", "local", "openai", "simulator"]

_CODE = """
lives = []

class Parrot:
    async def reply(self, conversation):
        yield conversation.user_message + "!"

class Nervous(Parrot):
    async def __aenter__(self):
        lives.append("begun")
    async def __aexit__(self, *_):
        lives.append("over")

def made():
    return Parrot()
"""


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, entry_points: str) -> None:
    """Install a package, its metadata next to its module, for the duration of the test."""
    (folder / f"{package}.py").write_text(_CODE, "utf-8")
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
    (metadata / "entry_points.txt").write_text(f"[chat.bots]\n{entry_points}\n", "utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, package, None)  # so that another test's package is not reused
    del sys.modules[package]


def _refusal(**settings: Any) -> str:  # noqa: ANN401 - of `Settings`
    with pytest.raises(BotNotConfigured) as refused:
        create_app(Settings(**settings))
    return str(refused.value)


def test_a_bot_that_nobody_knows_is_refused_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own bots, and installed ones."""
    assert _refusal(bot="eliza") == f"no bot has this name. Next: set CHAT_BOT to one of {', '.join(_OWN)}"
    _install(tmp_path, monkeypatch, "parrot", "parrot = parrot:Parrot")
    assert _refusal(bot="eliza").endswith(f" one of {', '.join(sorted([*_OWN, 'parrot']))}")


def test_a_bot_that_two_packages_bring_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice would be ambiguous."""
    _install(tmp_path, monkeypatch, "parrot", "parrot = parrot:Parrot")
    _install(tmp_path, monkeypatch, "polly", "parrot = polly:Parrot")
    assert _refusal(bot="parrot") == "more than one installed package has a bot parrot. Next: uninstall the others"


@pytest.mark.parametrize(
    ("bot", "settings", "told"),
    [
        ("eliza", {}, "no bot has this name. Next: set CHAT_BOT to one of greeter, local, openai, simulator"),
        (
            "openai",
            {},
            "the bot `openai` needs an engine. Next: set CHAT_OPENAI_BASE_URL, such as http://127.0.0.1:8080/v1",
        ),
        (
            "local",
            {"CHAT_LOCAL_MODEL_PATH": "/no/model"},
            "the model /no/model cannot be read: No such file or directory. Next: check CHAT_LOCAL_MODEL_PATH",
        ),
    ],
    ids=["unknown", "openai", "local"],
)
def test_the_operator_is_told_what_to_do(bot: str, settings: dict[str, str], told: str) -> None:
    """In one line, and the process exits like with any invalid setting."""
    ended = subprocess.run(
        [sys.executable, "-m", "app", "--bot", bot],
        cwd=_ROOT,
        env=os.environ | settings,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"CHAT_BOT: {told}\n")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("parrot:Nobody", "AttributeError"),
        ("nowhere:Parrot", "ModuleNotFoundError"),
        ("parrot:Parrot.reply", "TypeError"),
    ],
)
def test_a_bot_that_cannot_be_created_is_told_by_its_name(
    place: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever another package raises; what it says may be a secret."""
    _install(tmp_path, monkeypatch, "parrot", f"polly = {place}")
    assert _refusal(bot="polly").startswith(f"the bot polly could not be created: {told}. Next: CHAT_LOG_LEVEL=debug")


@pytest.mark.parametrize("name", ["Parrot", "Nervous", "made"])
async def test_an_installed_bot_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A class, a class of context managers, or a factory function."""
    _install(tmp_path, monkeypatch, "parrot", f"polly = parrot:{name}")
    async with Client(create_app(Settings(bot="polly"))) as client:
        lives: list[str] = sys.modules["parrot"].lives
        assert lives == ["begun"] * (name == "Nervous")
        assert (await replied(client, "hello")).text == "hello!"
    assert lives == ["begun", "over"] * (name == "Nervous")


async def test_the_services_own_bots_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No package can replace one of them."""
    _install(tmp_path, monkeypatch, "parrot", "simulator = parrot:Parrot")
    async with Client(create_app(Settings(bot="simulator"))) as client:
        assert (await replied(client, "hello")).text == "hello"
