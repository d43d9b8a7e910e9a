"""What the documentation lists is what there is: settings, keys of the simulator, errors of bots, files, programs."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from app.bots.greeter import Greeter
from app.bots.installed import installed_bot
from app.bots.simulator import Simulation
from app.chat import errors
from app.chat.errors import BotNotConfigured
from app.chat.model import Conversation, Message
from app.environment.variables import PREFIX
from app.operators.settings import described
from app.settings import Settings
from scripts.engine_trials.catalogue import ENGINES
from tests.contract.document import DOCUMENT, PLACES, PROBLEMS
from tests.docs.pages import PAGES, README, ROOT, Page

_CODE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"(scripts/\w+|\.venv/bin/\w+|curl|node|pip|python3?|schemathesis|sh|uvicorn) .+")

CLIENTS, BOTS, OPERATORS, CONTRIBUTING = (
    PAGES[f"{name}.md"] for name in ("clients", "bots", "operators", "CONTRIBUTING")
)
ALL_PAGES = pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """Commands and what they print, the snippets, and the texts that this folder's tests name."""
    named = {
        ("README.md", "mermaid", "The stream"),
        ("README.md", "text", "The stream"),
        ("CONTRIBUTING.md", "text", "Where things are"),
        ("bots.md", "python", "Write a bot"),
        ("bots.md", "toml", "Write a bot"),
        ("clients.md", "bash", "A shell script"),
        ("clients.md", "js", "A browser, with EventSource"),
        ("clients.md", "js", "A browser, with fetch"),
        ("clients.md", "python", "Python"),
        ("operators.md", "mermaid", "Several instances"),
        ("operators.md", "yaml", "What to watch"),
        ("sdks.md", "python", "Python"),
        ("sdks.md", "ts", "TypeScript"),
        ("sdks.md", "ts", "fetch-event-source"),
    }
    blocks = [(page.name, block) for page in PAGES.values() for block in page.blocks]
    others = {(name, b.language, b.section) for name, b in blocks if b.language != "sh" and not b.is_output}
    assert others == named
    assert {b.language for _, b in blocks if b.is_output} <= {"json", "text"}


def test_every_command_in_the_prose_stands_in_a_block_too() -> None:
    """There it is run. What a script runs is run with it."""
    scripts = [path.read_text("utf-8") for path in (ROOT / "scripts").iterdir() if path.is_file()]
    blocks = [block.text for page in PAGES.values() for block in page.blocks]
    blocks += [engine.documented for engine in ENGINES.values()]  # `scripts/engines` runs them
    spans = [span for page in PAGES.values() for span in _CODE.findall(page.prose) if _PROGRAM.fullmatch(span)]
    assert "python -m app" in spans
    assert [span for span in spans if not any(span in text for text in [*blocks, *scripts])] == []


@ALL_PAGES
def test_commands_can_be_pasted_into_any_shell(page: Page) -> None:
    """Into zsh too, which takes a comment for arguments, an unquoted `?` for a pattern and `$name:` for a modifier."""
    for block in page.blocks:
        if block.language in {"sh", "bash"}:
            assert not re.search(r"^#|\s#\s|\$\w+:|^[^'\"]* http[^'\" ]*\?", block.text, re.MULTILINE), block.text


def test_every_setting_is_listed_with_its_default_and_its_meaning() -> None:
    """Once, in one of the groups; and no other. A dash stands for none."""
    expected = [described(name, field) for name, field in Settings.model_fields.items()]
    listed = [row for table in OPERATORS.tables("Settings") for row in table]
    assert sorted(listed) == sorted(expected)


def test_every_choice_of_a_setting_is_named() -> None:
    """If a setting takes one of a few words, the section has them all; and all bots, which more may join."""
    words = [field.annotation for field in Settings.model_fields.values() if get_origin(field.annotation) is Literal]
    choices = {choice for annotation in words for choice in get_args(annotation)}
    assert "console" in choices
    with pytest.raises(BotNotConfigured) as refused:
        installed_bot("")
    bots = str(refused.value).partition("one of ")[2].split(", ")
    assert "greeter" in bots
    assert {*choices, *bots} <= set(_CODE.findall(OPERATORS.section("Settings")))
    assert {f"`{bot}`" for bot in bots} == {
        re.sub(r" \(.*", "", row[0]) for row in PAGES["bots.md"].all_tables()[0] if row[0].startswith("`")
    }


@ALL_PAGES
def test_every_setting_that_is_named_exists(page: Page) -> None:
    """In the prose, the tables and the commands; `CHAT_` alone is the beginning of all."""
    found = re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", page.text)
    names = {name.removeprefix(PREFIX).removesuffix("_FILE").lower() for name in found}
    assert names <= Settings.model_fields.keys() | {"jwt"}


@ALL_PAGES
def test_every_operation_that_is_named_exists(page: Page) -> None:
    """With its method."""
    named = re.findall(r"`((?:GET|HEAD|POST|PUT|PATCH|DELETE) /[\w/{}-]*)", page.prose)
    assert [operation for operation in named if operation not in map(" ".join, PLACES.values())] == []


def test_every_engine_has_an_address_that_the_setting_takes() -> None:
    """Or none of its own."""
    engines = BOTS.tables("Connect a model")[0]
    addresses = [match[1] for row in engines if (match := re.match(r"`([^`]+)`", row[1]))]
    assert len(addresses) > 2
    for address in addresses:
        assert str(Settings.model_validate({"openai_base_url": address}).openai_base_url) == address


def test_every_key_of_the_simulator_is_listed() -> None:
    """And no other."""
    (keys,) = CLIENTS.tables("Test a client")
    assert [row[0] for row in keys] == [f"`{field.name}`" for field in fields(Simulation)]


def test_every_error_that_a_bot_may_raise_is_listed_with_its_status() -> None:
    """Those of `app.chat.errors` that are about bots and messages, with arguments that they take."""
    codes = {kind.__name__: kind.code for kind in errors.ChatError.__subclasses__()}
    raised = {"MessageRefused", *(name for name in codes if name.startswith("Bot"))} - {"BotBroken"}
    expected = {name: str(PROBLEMS[codes[name]]["status"]) for name in raised}
    (table,) = BOTS.tables("Write a bot")
    rows = [(re.fullmatch(r"`(\w+)\((.*)\)`", row[0]), row[1]) for row in table]
    assert {match[1]: status for match, status in rows if match} == expected
    for match in (match for match, _ in rows if match):
        arguments = [argument.partition("=")[0] for argument in match[2].split(", ") if argument]
        assert set(arguments) <= signature(getattr(errors, match[1])).parameters.keys()


def test_the_grammar_is_the_contracts() -> None:
    """To the letter, and with the same events, whose descriptions are the contract's."""
    description = DOCUMENT["info"]["description"]
    assert README.block("text", "The stream").text in description
    (events,) = README.tables("The stream")
    assert [row[0] for row in events] == ["word", "`done`", "`failed`", "comment"]
    assert [row for row in events if f"| {row[2]} |" not in description] == []


def test_the_picture_holds_together() -> None:
    """Each arrow leads from one participant to another."""
    first, *lines = README.block("mermaid", "The stream").text.splitlines()
    assert first == "sequenceDiagram"
    participants = set(re.findall(r"participant (\w+)", "\n".join(lines)))
    arrows = re.findall(r"(\w+)--?>>(\w+): .+", "\n".join(lines))
    assert len(arrows) == sum(">>" in line for line in lines)
    assert {name for arrow in arrows for name in arrow} == participants


def test_the_layout_is_what_is_there() -> None:
    """Every part of the application and every folder of tests is listed; nothing is that is not there."""
    listed: list[Path] = []
    folder = Path()
    for line in CONTRIBUTING.block("text", "Where things are").text.splitlines():
        name = line.split()[0]
        path = folder / name if line.startswith(" ") else Path(name)
        folder = folder if line.startswith(" ") else path
        assert (ROOT / path).is_dir() if name.endswith("/") else (ROOT / path).is_file(), path
        listed.append(path)
    parts = [path for path in (ROOT / "app").iterdir() if path.name not in {"__init__.py", "__pycache__"}]
    tests = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert {path.relative_to(ROOT) for path in [*parts, *tests]} <= set(listed)


def test_every_finding_is_listed() -> None:
    """Under its own name, and no other."""
    listed = [row[0].strip("`") for table in Page(ROOT / "findings" / "README.md").all_tables() for row in table]
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "findings").glob("*.sh"))


@ALL_PAGES
def test_every_file_that_is_named_exists(page: Page) -> None:
    """By its path in the project."""
    named = re.findall(r"`((?:app|docs|generated|scripts|tests)/[\w./-]+)[`:]", page.prose)
    assert [path for path in named if not (ROOT / path).exists()] == []


async def test_the_section_that_the_greeter_names_is_there() -> None:
    """It sends newcomers there."""
    pieces = [piece async for piece in Greeter(pace_ms=0).reply(Conversation((Message("user", "What are you?"),)))]
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    (named,) = re.findall(r'docs/([\w.]+), the section "([^"]+)"', said)
    page, section = named
    assert section in PAGES[page].headings


def test_the_page_that_the_command_line_names_has_the_settings() -> None:
    """In its help, and where it says that a setting is wrong."""
    program = (ROOT / "app" / "command.py").read_text("utf-8")
    assert set(re.findall(r"docs/[\w.]+", program)) == {"docs/operators.md"}
    assert "Settings" in OPERATORS.headings
