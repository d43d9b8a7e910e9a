"""Every command of the README is run: as it is written, but for the port, in a copy of the project.

What would take minutes is run with an option that makes it short. A command that no rule is for fails.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec

import httpx
import pytest

from generated.models import Usage
from tests.docs.machine import Machine
from tests.docs.readme import ADDRESS, COMMANDS, PROSE, ROOT, Command, block
from tests.support.completions import answer, speaks
from tests.support.engine import FakeEngine, engine_beside

GREETING = "Hi there! How can I help you today?"

README_REPLY = "5f0c2ab4e1d94c0f8a36b7d2c9e4f1a0"
README_CONVERSATION = "c41d0b7e9a2f4d8ab6e3f50c7d219e84"

_ID = re.compile("[0-9a-f]{32}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One for all commands, so that services are started once."""
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def serves_on_a_fresh_machine(command: Command, machine: Machine) -> None:
    """With no `.venv` to begin with."""
    if "venv" in command.text and find_spec("ensurepip") is None:
        pytest.skip("this Python cannot make virtual environments; on Debian that is the package python3-venv")
    folder = machine.checkout(f"line-{command.line}")
    with machine.start(command.text, folder) as service:
        assert service.answer("hello") == GREETING
    assert (folder / ".venv").is_dir()


def serves_the_simulator(command: Command, machine: Machine) -> None:
    """It echoes."""
    with machine.start(command.text, machine.prepared) as service:
        assert service.answer("one two") == "one two"


def serves_an_engine(command: Command, machine: Machine) -> None:
    """Of the fake kind, whose address takes the place of the one in the README."""
    engine = FakeEngine(answer(200, {"data": [{"id": "m"}]}), speaks("Hi ", "there!"))
    with engine_beside(engine):
        text = re.sub(r"(?<=CHAT_OPENAI_BASE_URL=)\S+", engine.url, command.text)
        with machine.start(text, machine.prepared) as service:
            assert service.answer("hello") == "Hi there!"
    assert [exchange.path for exchange in engine.exchanges] == ["/v1/models", "/v1/chat/completions"]
    assert engine.exchanges[1].body["messages"] == [{"role": "user", "content": "hello"}]


def serves_a_real_model(command: Command, machine: Machine) -> None:
    """On a fresh machine: it is installed and loaded first. Its reply comes word by word."""
    folder = machine.checkout(f"line-{command.line}")
    with machine.start(command.text, folder) as service:
        transcript, portions = service.transcript("hello")
    assert len(transcript.words) > 2
    assert portions > 2
    assert isinstance(transcript.reply.usage, Usage)
    assert (folder / ".venv").is_dir()


def serves_an_installed_bot(command: Command, machine: Machine) -> None:
    """On a fresh machine, with the README's package."""
    folder = machine.checkout(f"line-{command.line}")
    (folder / "parrot").mkdir()
    for name, language in (("parrot.py", "python"), ("pyproject.toml", "toml")):
        assert f"`parrot/{name}`" in PROSE
        (folder / "parrot" / name).write_text(block(language, "Add a bot").text, "utf-8")
    with machine.start(command.text, folder) as service:
        assert service.answer("hello you") == "hello! you! "
    assert not (folder / ".venv").is_symlink()


def collects_tests(command: Command, machine: Machine) -> None:
    """To run them here would never end: these are among them."""
    printed = machine.run(f"{command.text} --collect-only -q", machine.prepared)
    assert re.search(r"^[1-9]\d* tests collected", printed, re.MULTILINE)
    for variable in re.findall(r"^([A-Z_]+)=", command.text):
        assert f'"{variable}"' in (ROOT / "tests" / "contract" / "fuzzing.py").read_text("utf-8")


def fuzzes(command: Command, machine: Machine) -> None:
    """For a moment, in which not every seed comes by a reply to resume; `tests/contract` does it at length."""
    text = command.text.replace(ADDRESS, machine.service("greeter").url)
    options = "--phases examples,stateful --max-examples 20 --seed 2 --no-color"
    assert "No issues found" in machine.run(f"{text} {options}", machine.prepared)


def verifies(command: Command, machine: Machine) -> None:
    """Some laws, which are soon done; `tests/verify` tries all."""
    text = command.text.replace(ADDRESS, machine.service("greeter").url)
    assert "\nHOLDS: " in machine.run(f"{text} --rate 100 --law grammar --law text", machine.prepared)


def tells_its_options(command: Command, machine: Machine) -> None:
    """The options that are there have to be good for that."""
    assert "usage:" in machine.run(f"{command.text} --help", machine.prepared)


def succeeds(command: Command, machine: Machine) -> None:
    """As it is."""
    machine.run(command.text, machine.prepared)


def prints_what_the_readme_says(command: Command, machine: Machine) -> None:
    """But for the ids, and for white space at the ends of lines; `...` stands for any number of lines."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    service = machine.service("simulator" if "/simulate" in command.text else "greeter")
    printed = machine.run(command.text.replace(ADDRESS, service.url), machine.prepared)
    assert command.output, f"line {command.line} does not show what its command prints"
    expected = ["(.*\n)*" if line == "..." else re.escape(f"{line}\n") for line in _lines(command.output.text)]
    assert re.fullmatch("".join(expected), "".join(f"{line}\n" for line in _lines(printed))), printed


def keeps_keys(command: Command, machine: Machine) -> None:
    """In a database of its own: one is made, is listed, and is revoked."""
    with tempfile.TemporaryDirectory() as folder:

        def run(text: str) -> str:
            return machine.run(f"CHAT_DATABASE_URL=sqlite:///{folder}/chat.db {text}", machine.prepared)

        create = next(other.text for other in COMMANDS if "keys create" in other.text)
        key_id = run(create).split("_")[1]
        printed = run(re.sub("[0-9a-f]{16}", key_id, command.text))
        match command.text.split()[4]:
            case "create":
                shown = command.output.text if command.output else ""
                assert re.fullmatch(r"chat_[0-9a-f]{16}_[\w-]{43}\n", shown)
                assert re.fullmatch(r"chat_[0-9a-f]{16}_[\w-]{43}\n", printed)
            case "list":
                assert re.search(rf"^{key_id} +alice .*good until", printed, re.MULTILINE)
            case _:
                assert printed == "revoked\n"
                assert "revoked" in run(".venv/bin/python -m app keys list")


def prints_what_was_stored(command: Command, machine: Machine) -> None:
    """With one conversation in the database, whose ids take the place of the README's."""
    if "curl" in command.text and shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    service = machine.service("greeter")
    text = command.text.replace(ADDRESS, service.url)
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        for conversation in client.get("/api/conversations", params={"limit": 100}).json()["conversations"]:
            client.delete(f"/api/conversations/{conversation['conversation_id']}")
        asked = client.post("/api/chat", json={"user_message": "hello"}, headers={"Accept": "application/json"}).json()
    for of_the_readme, of_the_service in ((README_REPLY, "reply_id"), (README_CONVERSATION, "conversation_id")):
        text = text.replace(of_the_readme, asked[of_the_service])
    printed = machine.run(f"CHAT_DATABASE_URL={service.database_url} {text}", machine.prepared)
    expected = command.output.text if command.output else ""
    assert _lines(printed) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in _TIME.sub("<time>", _ID.sub("<id>", text)).rstrip().split("\n")]


Rule = Callable[[Command, Machine], None]

RULES: dict[str, Rule] = {
    r"scripts/serve": serves_on_a_fresh_machine,
    r"scripts/serve --bot local": serves_a_real_model,
    r"scripts/setup\npython3 -m pip .* install \./parrot\nscripts/serve --bot parrot": serves_an_installed_bot,
    r"python3 -m venv \.venv\n\. .*\npip install -r requirements\.txt\nuvicorn app\.main:app --reload": (
        serves_on_a_fresh_machine
    ),
    r"(?=.*simulator)([A-Z_]+=\S+ )*scripts/serve( --bot \w+)?": serves_the_simulator,
    r"CHAT_OPENAI_BASE_URL=\S+ scripts/serve --bot openai": serves_an_engine,
    r"([A-Z_]+=\S+ )*scripts/test( .*)?": collects_tests,
    r"\.venv/bin/schemathesis .*": fuzzes,
    r"\.venv/bin/python -m app keys .*": keeps_keys,
    r"scripts/((bench|sdk)( .*)?|release|verify --help)": tells_its_options,
    rf"scripts/verify {ADDRESS}": verifies,
    r"scripts/(setup dev|generate)": succeeds,
    rf"(curl|\S+python -m app conversations) .*({README_REPLY}|{README_CONVERSATION}|/api/conversations|purge).*": (
        prints_what_was_stored
    ),
    rf"curl (?!.*({README_REPLY}|{README_CONVERSATION}|/api/conversations)).*": prints_what_the_readme_says,
}


def rules(command: Command) -> list[Rule]:
    """Those that are for this command."""
    return [rule for pattern, rule in RULES.items() if re.fullmatch(pattern, command.text)]


ON_FRESH_MACHINES: list[Rule] = [serves_on_a_fresh_machine, serves_a_real_model, serves_an_installed_bot]
INSTALLING = [command for command in COMMANDS if rules(command)[:1] in [[rule] for rule in ON_FRESH_MACHINES]]


@pytest.fixture(scope="module")
def installing(machine: Machine) -> Iterator[dict[Command, Future[None]]]:
    """What takes long runs beside all the others."""
    with ThreadPoolExecutor(2) as pool:
        yield {command: pool.submit(rules(command)[0], command, machine) for command in INSTALLING}


@pytest.mark.parametrize(
    "command", sorted(COMMANDS, key=INSTALLING.__contains__), ids=lambda command: f"line {command.line}: {command.text}"
)
def test_every_command_works(command: Command, machine: Machine, installing: dict[Command, Future[None]]) -> None:
    """By the one rule that is for it."""
    found = rules(command)
    assert len(found) == 1, f"{len(found)} rules say how to test line {command.line}: {command.text}"
    if command in installing:
        installing[command].result()
    else:
        found[0](command, machine)


def test_a_bot_without_a_package_is_given_to_the_application(machine: Machine) -> None:
    """As the prose has it, behind the code of the README's bot."""
    line = "app = create_app(bot=Parrot())"
    assert f"`{line}`" in PROSE
    code = [block("python", "Add a bot").text, "from app.main import create_app", line]
    (machine.prepared / "mychat.py").write_text("\n".join([*code, ""]), "utf-8")
    with machine.start(".venv/bin/uvicorn mychat:app", machine.prepared) as service:
        assert service.answer("hello you") == "hello! you! "
