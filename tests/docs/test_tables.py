"""What the README lists is what there is: settings, keys of the simulator, errors of bots, files, links, programs."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Literal, get_args, get_origin

import httpx
import pytest

from app.bots.installed import installed_bot
from app.bots.simulator import Simulation
from app.chat import errors
from app.chat.errors import BotNotConfigured
from app.settings import PREFIX, Settings
from tests.contract.document import DOCUMENT, PROBLEMS
from tests.docs.readme import ADDRESS, BLOCKS, COMMANDS, HEADINGS, PROSE, ROOT, TEXT, anchor, block, table
from tests.support.server import LiveServer

_LINK = re.compile(r"\[[^\]]+\]\(([^)]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"(scripts/\w+|\.venv/bin/\w+|curl|node|pip|python3?|schemathesis|sh|uvicorn) .+")


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """Commands and what they print, the snippets, and the texts that this folder's tests name."""
    named = [
        ("bash", "From a shell"),
        ("bash", "From a shell"),
        ("js", "From a browser"),
        ("js", "With EventSource"),
        ("mermaid", "How a reply runs"),
        ("python", "Add a bot"),
        ("python", "From Python"),
        ("python", "SDKs"),
        ("text", "Layout"),
        ("text", "The stream"),
        ("toml", "Add a bot"),
        ("ts", "SDKs"),
    ]
    others = [(b.language, b.section) for b in BLOCKS if b.language != "sh" and not b.is_output]
    assert sorted(others) == named
    assert {b.language for b in BLOCKS if b.is_output} <= {"json", "text"}


def test_every_command_in_the_prose_stands_in_a_block_too() -> None:
    """There it is run. What a script runs is run with it."""
    scripts = [path.read_text("utf-8") for path in (ROOT / "scripts").iterdir() if path.is_file()]
    run = [*(command.text for command in COMMANDS), *scripts]
    spans = [span for span in _CODE.findall(PROSE) if _PROGRAM.fullmatch(span)]
    assert "python -m app" in spans
    assert [span for span in spans if not any(span in text for text in run)] == []


def test_every_setting_is_listed_with_its_default_and_its_meaning() -> None:
    """And no other. A dash stands for none."""
    expected = [
        [f"`{PREFIX}{name.upper()}`", "—" if field.default is None else f"`{field.default}`", field.description]
        for name, field in Settings.model_fields.items()
    ]
    assert table("Settings") == expected


def test_every_choice_of_a_setting_is_named() -> None:
    """Where a setting takes one of a few words, the section has them all; and all bots, which more may join."""
    section = PROSE.partition("## Settings\n")[2].partition("\n## ")[0]
    words = [field.annotation for field in Settings.model_fields.values() if get_origin(field.annotation) is Literal]
    choices = {choice for annotation in words for choice in get_args(annotation)}
    assert "console" in choices
    with pytest.raises(BotNotConfigured) as refused:
        installed_bot("")
    bots = str(refused.value).partition("one of ")[2].split(", ")
    assert "greeter" in bots
    assert {*choices, *bots} <= set(_CODE.findall(section))


def test_every_setting_that_is_named_exists() -> None:
    """In the prose, the tables and the commands; `CHAT_` alone is the beginning of all."""
    names = set(re.findall(rf"\b{PREFIX}[A-Z_]+", TEXT))
    assert f"{PREFIX}LOCAL_MODEL_PATH" in names
    assert {name.removeprefix(PREFIX).lower() for name in names} <= Settings.model_fields.keys()


def test_every_engine_has_an_address_that_the_setting_takes() -> None:
    """Or none of its own."""
    addresses = [match[1] for row in table("Connect a model") if (match := re.match(r"`([^`]+)`", row[1]))]
    assert len(addresses) > 2
    for address in addresses:
        assert str(Settings.model_validate({"openai_base_url": address}).openai_base_url) == address


def test_every_key_of_the_simulator_is_listed() -> None:
    """And no other."""
    assert [row[0] for row in table("Test a client")] == [f"`{field.name}`" for field in fields(Simulation)]


def test_every_error_that_a_bot_may_raise_is_listed_with_its_status() -> None:
    """Those of `app.chat.errors` that are about bots and messages, with arguments that they take."""
    codes = {kind.__name__: kind.code for kind in errors.ChatError.__subclasses__()}
    raised = {"MessageRefused", *(name for name in codes if name.startswith("Bot"))} - {"BotBroken"}
    expected = {name: str(PROBLEMS[codes[name]]["status"]) for name in raised}
    rows = [(re.fullmatch(r"`(\w+)\((.*)\)`", row[0]), row[1]) for row in table("Add a bot")]
    assert {match[1]: status for match, status in rows if match} == expected
    for match in (match for match, _ in rows if match):
        arguments = [argument.partition("=")[0] for argument in match[2].split(", ") if argument]
        assert set(arguments) <= signature(getattr(errors, match[1])).parameters.keys()


def test_the_grammar_is_the_contracts() -> None:
    """To the letter, and with the same events."""
    assert block("text", "The stream").text in DOCUMENT["info"]["description"]
    names = DOCUMENT["components"]["schemas"]["ReplyEvent"]["discriminator"]["mapping"].keys() - {"message"}
    assert {row[0] for row in table("The stream")} == {"word", "comment", *(f"`{name}`" for name in names)}


def test_the_picture_holds_together() -> None:
    """Each arrow leads from one participant to another."""
    first, *lines = block("mermaid", "How a reply runs").text.splitlines()
    assert first == "sequenceDiagram"
    participants = set(re.findall(r"participant (\w+)", "\n".join(lines)))
    arrows = re.findall(r"(\w+)--?>>(\w+): .+", "\n".join(lines))
    assert len(arrows) == sum(">>" in line for line in lines)
    assert {name for arrow in arrows for name in arrow} == participants


def test_the_layout_is_what_is_there() -> None:
    """Every part of the application and every folder of tests is listed; nothing is that is not there."""
    listed: list[Path] = []
    folder = Path()
    for line in block("text", "Layout").text.splitlines():
        name = line.split()[0]
        path = folder / name if line.startswith(" ") else Path(name)
        folder = folder if line.startswith(" ") else path
        assert (ROOT / path).is_dir() if name.endswith("/") else (ROOT / path).is_file(), path
        listed.append(path)
    parts = [path for path in (ROOT / "app").iterdir() if path.name not in {"__init__.py", "__pycache__"}]
    tests = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert {path.relative_to(ROOT) for path in [*parts, *tests]} <= set(listed)


def test_every_link_leads_somewhere() -> None:
    """To a file, to a heading, or to a page that the service serves."""
    for target in _LINK.findall(PROSE):
        if target.startswith("#"):
            assert target[1:] in map(anchor, HEADINGS), target
        else:
            assert (ROOT / target).is_file(), target
    pages = re.findall(f"<{ADDRESS}(/[^>]+)>", PROSE)
    assert pages
    with LiveServer("greeter") as server:
        for page in pages:
            assert httpx.get(server.url + page, trust_env=False).status_code == 200, page


def test_the_section_that_the_greeter_names_is_there() -> None:
    """It sends newcomers there."""
    said = (ROOT / "app" / "bots" / "greeter.py").read_text("utf-8")
    sections = re.findall(r'the section "([^"]+)"', said)
    assert sections == ["Connect a model"]
    assert set(sections) <= set(HEADINGS)
