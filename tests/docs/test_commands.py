"""Every page of the documentation is gone through as a reader would: its commands and snippets, in their order.

They run as they are written, but for the port, in a copy of the project, in one shell session for each page, and print
what the page shows. What installs something runs beside that, from nothing. What would take minutes is run with an
option that makes it short.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from generated.models import Usage
from scripts.ports import free_port
from tests.deploy.test_backups import backup_blocks
from tests.docs.machine import Machine, Service
from tests.docs.pages import PAGES, ROOT, Block, Command, Page
from tests.docs.reading import Reader
from tests.support.completions import answer, speaks
from tests.support.engine import FakeEngine, engine_beside
from tests.support.waiting import wait_until

GREETING = "Hi there! How can I help you today?"

_COLLECTED: set[str] = set()
"""Folders of tests, and options, that one command has been tried with."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A command that installs, in the checkout where it is run."""

    command: str
    page: Page
    machine: Machine
    folder: Path

    def serve(self) -> Service:
        """Run it."""
        return self.machine.start(self.command, self.folder)


def serves_on_a_fresh_machine(installation: Installation) -> None:
    """With no `.venv` to begin with."""
    if "venv" in installation.command and find_spec("ensurepip") is None:
        pytest.skip("this Python cannot make virtual environments; on Debian that is the package python3-venv")
    assert not (installation.folder / ".venv").exists()
    with installation.serve() as service:
        assert service.answer("hello") == GREETING
    assert (installation.folder / ".venv").is_dir()


def serves_a_real_model(installation: Installation) -> None:
    """It is installed and loaded first. Its reply comes word by word."""
    with installation.serve() as service:
        transcript, portions = service.transcript("hello")
    assert len(transcript.words) > 2
    assert portions > 2
    assert isinstance(transcript.reply.usage, Usage)
    assert (installation.folder / ".venv").is_dir()


def serves_an_installed_bot(installation: Installation) -> None:
    """Of the package that the page has the reader save."""
    for file, text in installation.page.files.items():
        (installation.folder / file).parent.mkdir(exist_ok=True)
        (installation.folder / file).write_text(text, "utf-8")
    with installation.serve() as service:
        assert service.answer("hello you") == "hello! you! "
    assert not (installation.folder / ".venv").is_symlink()


FROM_NOTHING: dict[str, Callable[[Installation], None]] = {
    r"scripts/serve": serves_on_a_fresh_machine,
    r"scripts/serve --bot local": serves_a_real_model,
    r"scripts/setup\npython3 -m pip .* install \./parrot\nscripts/serve --bot parrot": serves_an_installed_bot,
    r"python3 -m venv \.venv\n\. .*\npip install -r requirements\.txt\nuvicorn app\.main:app --reload": (
        serves_on_a_fresh_machine
    ),
}
"""What installs something, in the order in which one reader tries it."""


def serves(command: Command, reader: Reader) -> None:
    """From here on the page's commands are for this service."""
    service = reader.serve(command.text)
    assert service.answer("hello") == ("hello" if "simulator" in command.text else GREETING)


def serves_an_engine(command: Command, reader: Reader) -> None:
    """Of the fake kind, whose address takes the place of the one on the page."""
    engine = FakeEngine(answer(200, {"data": [{"id": "m"}]}), speaks("Hi ", "there!"))
    with engine_beside(engine):
        service = reader.serve(re.sub(r"(?<=CHAT_OPENAI_BASE_URL=)\S+", engine.url, command.text))
        assert service.answer("hello") == "Hi there!"
    assert [exchange.path for exchange in engine.exchanges] == ["/v1/models", "/v1/chat/completions"]
    assert engine.exchanges[1].body["messages"] == [{"role": "user", "content": "hello"}]


def is_for_another_machine(command: Command, reader: Reader) -> None:
    """It installs, so it is run from nothing, beside this."""
    assert any(re.fullmatch(pattern, command.text) for pattern in FROM_NOTHING)
    assert reader.folder.is_dir()


def is_tried_by_a_script(command: Command, reader: Reader) -> None:
    """It needs a model from a hub. `scripts/engines` starts it with one from the package index; see `test_engines`."""
    assert "transformers serve " in command.text
    assert reader.folder.is_dir()


def is_tried_with_a_server(command: Command, reader: Reader) -> None:
    """It needs one of PostgreSQL: see `tests/deploy/test_backups.py`."""
    assert command.text in [found.text for block in backup_blocks() for found in PAGES["operators.md"].commands(block)]
    assert reader.folder.is_dir()


def is_what_ci_runs(command: Command, reader: Reader) -> None:
    """CI runs it beside these tests."""
    assert command.text in (reader.folder / ".ci" / "run").read_text("utf-8")


def is_tried_on_one_file(command: Command, reader: Reader) -> None:
    """Not all that it would."""
    assert " passed" in reader.run(f"{command.text} tests/unit/test_ids.py")


def collects_tests(command: Command, reader: Reader) -> None:
    """To run them here would never end: these are among them. What was collected once is not collected again."""
    arguments = command.text.partition("scripts/test ")[2].split()
    if not all(_COLLECTED.intersection((argument, *map(str, Path(argument).parents))) for argument in arguments):
        printed = reader.run(f"{command.text} --collect-only -q")
        assert re.search(r"^[1-9]\d* tests collected", printed, re.MULTILINE)
        _COLLECTED.update(arguments)
    assert all((ROOT / argument).exists() for argument in arguments if "/" in argument)
    for variable in re.findall(r"^([A-Z_]+)=", command.text):
        assert f'"{variable}"' in (ROOT / "tests" / "contract" / "fuzzing.py").read_text("utf-8")


def fuzzes(command: Command, reader: Reader) -> None:
    """For a moment; `tests/contract` does it at length. The command fails if anything is wrong."""
    printed = reader.run(f"{command.text} --phases examples,stateful --max-examples 4 --seed 2 --no-color")
    assert re.search(r"^ +([0-9]+) generated, \1 passed$", printed, re.MULTILINE)


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def serves_examples(command: Command, reader: Reader) -> None:
    """At some port; what the pages do is in `test_examples`."""
    port = free_port()
    arguments = command.text.replace("python3", sys.executable).replace("8001", str(port)).split()
    with subprocess.Popen(arguments, cwd=reader.folder, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _is_listening(port))
            for name in ("plain.html", "deep-chat.html", "ask.js"):
                assert httpx.get(f"http://127.0.0.1:{port}/{name}").is_success
        finally:
            process.kill()


def loads(command: Command, reader: Reader) -> None:
    """One instance, for a moment."""
    service = reader.serve("scripts/serve --bot simulator")
    text = re.sub(r"http://\S+", service.url, command.text)
    assert text != command.text
    assert "\nHELD\n" in reader.run(f"{text} --streams 3 --seconds 2 --words 10")


def verifies(command: Command, reader: Reader) -> None:
    """Some laws, which are soon done; `tests/verify` tries all. From here on the page's service is a fast one."""
    reader.serve("CHAT_GREETER_PACE_MS=5 scripts/serve")
    assert "\nHOLDS: " in reader.run(f"{command.text} --rate 100 --law grammar --law text")


def tells_its_options(command: Command, reader: Reader) -> None:
    """The options that are there have to be good for that."""
    assert "usage:" in reader.run(f"{command.text} --help")


RULES: dict[str, Callable[[Command, Reader], None]] = {
    "|".join(pattern for pattern in FROM_NOTHING if pattern != "scripts/serve"): is_for_another_machine,
    r"CHAT_OPENAI_BASE_URL=\S+ scripts/serve --bot openai": serves_an_engine,
    r"([A-Z_]+=\S+ )*scripts/serve( --bot (simulator|greeter))?": serves,
    r"python3 -m venv build/transformers\n.*\n.*transformers serve .*": is_tried_by_a_script,
    r"pg_(dump|restore) .*|cp backup\.db chat\.db|rm -f chat\.db-wal chat\.db-shm": is_tried_with_a_server,
    r"scripts/(check|test)": is_what_ci_runs,
    r"scripts/test --fast": is_tried_on_one_file,
    r"([A-Z_]+=\S+ )*scripts/test (?!.* -k )(?!--fast).*": collects_tests,
    r"\.venv/bin/schemathesis .*": fuzzes,
    r"scripts/((bench|cluster|engines|frontends|sdk|soak)( .*)?|release)": tells_its_options,
    r"python3 -m http\.server .*": serves_examples,
    r"scripts/load http\S+ .*": loads,
    r"scripts/verify http\S+": verifies,
}
"""What is not simply run: each command is for one of these at most."""

ELSEWHERE = {
    ("clients.md", "js", "A browser, with EventSource"): "test_recipes, in a browser",
    ("sdks.md", "python", "Python"): "tests/sdk",
    ("sdks.md", "ts", "TypeScript"): "tests/sdk",
    ("sdks.md", "ts", "fetch-event-source"): "tests/sdk",
}
"""Snippets that are tried in another place."""

_COMMANDS = [
    (command.text, page)
    for page in reversed(PAGES.values())
    for block in page.blocks
    if block.language == "sh"
    for command in page.commands(block)
]

INSTALLING = {
    command: (install, page)
    for pattern, install in FROM_NOTHING.items()
    for command, page in _COMMANDS
    if re.fullmatch(pattern, command)
}
"""What is on two pages is tried once."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One for all commands."""
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module", autouse=True)
def installing(machine: Machine, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """What takes long runs beside all the others, if it is to be tested at all.

    It has two readers: one for the scripts, and one who does without. Each has a checkout, and installs there what is
    still missing.
    """
    wanted = {item.callspec.params.get("installed") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(1) as with_scripts, ThreadPoolExecutor(1) as without:
        folders = {reader: machine.checkout(f"from-nothing-{n}") for n, reader in enumerate((with_scripts, without))}
        yield {
            text: reader.submit(install, Installation(text, page, machine, folders[reader]))
            for text, (install, page) in INSTALLING.items()
            if text in wanted
            for reader in [with_scripts if text.startswith("scripts/") else without]
        }


def _follow(block: Block, page: Page, reader: Reader) -> None:
    if block.file:
        reader.save(block)
    elif block.language == "sh":
        for command in page.commands(block):
            rules = [rule for pattern, rule in RULES.items() if re.fullmatch(pattern, command.text)]
            assert len(rules) <= 1, f"{len(rules)} rules say how to test {command.text}"
            if rules:
                rules[0](command, reader)
            else:
                reader.follow(command)
    elif block.language == "bash":
        assert reader.run(block.text) == GREETING
    elif block.language in {"python", "js"} and (page.name, block.language, block.section) not in ELSEWHERE:
        assert reader.program(block).replace("\n", "") == GREETING


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_a_page_works_from_its_top_to_its_end(page: Page, machine: Machine) -> None:
    """Each command after those in front of it, and with what they have left behind."""
    with Reader(machine, page) as reader:
        for block in page.blocks:
            try:
                _follow(block, page, reader)
            except AssertionError as error:
                error.add_note(f"{page.path}:{block.line}")
                raise


def test_a_bot_without_a_package_is_given_to_the_application(machine: Machine) -> None:
    """As the prose has it, behind the code of the page's bot."""
    page = PAGES["bots.md"]
    line = "app = create_app(bot=Parrot())"
    assert f"`{line}`" in page.prose
    folder = machine.checkout("without-a-package", prepared=True)
    code = [page.block("python", "Write a bot").text, "from app.main import create_app", line]
    (folder / "mychat.py").write_text("\n".join([*code, ""]), "utf-8")
    with machine.start(".venv/bin/uvicorn mychat:app", folder) as service:
        assert service.answer("hello you") == "hello! you! "


@pytest.mark.parametrize("installed", INSTALLING)
def test_an_installation_works_on_a_fresh_machine(installed: str, installing: dict[str, Future[None]]) -> None:
    """With a Python that has pip, and nothing else."""
    installing[installed].result()
