"""The linter of `scripts/check` finds what is wrong with a contract, and none of its exceptions is superfluous."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.document import DOCUMENT, ROOT

HERE = ROOT / "scripts" / "node"
CONFIG: dict[str, Any] = yaml.safe_load((HERE / "redocly.yaml").read_text("utf-8"))
IGNORED: dict[str, list[str]] = yaml.safe_load((HERE / ".redocly.lint-ignore.yaml").read_text("utf-8"))[
    "../../openapi.yaml"
]
ITS_RUN = "redocly lint --config scripts/node/redocly.yaml"

Contract = dict[str, Any]
Problem = tuple[str, str]
"""A rule, and where it is violated."""


def _stream(document: Contract) -> Contract:
    stream: Contract = document["components"]["responses"]["ReplyStream"]["content"]["text/event-stream"]
    return stream


def _hello(document: Any) -> list[dict[str, str]]:  # noqa: ANN401
    events: list[dict[str, str]] = _stream(document)["examples"]["hello"]["dataValue"]
    return events


def _schemas(document: Contract) -> Contract:
    schemas: Contract = document["components"]["schemas"]
    return schemas


def _a_word_without_id(document: Contract) -> None:
    del _hello(document)[0]["id"]


def _two_ends(document: Contract) -> None:
    _hello(document).append(_hello(document)[-1])


def _no_end(document: Contract) -> None:
    _hello(document).pop()


def _an_unknown_event(document: Contract) -> None:
    _hello(document)[-1]["event"] = "end"


def _an_item_schema_of_another_kind(document: Contract) -> None:
    _stream(document)["itemSchema"] = {"$ref": "#/components/schemas/WordEvent"}


def _a_problem_with_a_status_in_words(document: Contract) -> None:
    examples = document["components"]["responses"]["NotFound"]["content"]["application/problem+json"]["examples"]
    examples["path"]["value"]["status"] = "not found"


def _a_parameter_like_no_other(document: Contract) -> None:
    document["components"]["parameters"]["ReplyId"]["example"] = "x"


def _an_unused_schema(document: Contract) -> None:
    _schemas(document)["Spare"] = {"type": "string", "description": "Nobody wants it."}


def _no_status_for_mistakes(document: Contract) -> None:
    operation = document["paths"]["/api/conversations"]["get"]
    operation["responses"] = {key: value for key, value in operation["responses"].items() if key[0] != "4"}


def _a_reference_to_nothing(document: Contract) -> None:
    _schemas(document)["Reply"]["properties"]["usage"]["$ref"] = "#/components/schemas/Cost"


def _an_event_that_is_not_there(document: Contract) -> None:
    _schemas(document)["ReplyEvent"]["anyOf"][0] = {"$ref": "#/components/schemas/Silence"}


def _one_name_for_two(document: Contract) -> None:
    document["paths"]["/api/ready"]["get"]["operationId"] = "getHealth"


def _a_required_field_that_is_not_there(document: Contract) -> None:
    _schemas(document)["Usage"]["required"].append("euros")


def _a_slip_of_the_pen(document: Contract) -> None:
    document["paths"]["/api/ready"]["get"]["sumary"] = "Tell"


_EXAMPLE = "#/components/responses/ReplyStream/content/text~1event-stream/examples/hello/dataValue"

BROKEN: dict[Callable[[Contract], None], Problem] = {
    _a_word_without_id: ("no-invalid-media-type-examples", f"{_EXAMPLE}/0"),
    _two_ends: ("no-invalid-media-type-examples", _EXAMPLE),
    _no_end: ("no-invalid-media-type-examples", _EXAMPLE),
    _an_unknown_event: ("no-invalid-media-type-examples", f"{_EXAMPLE}/8/event"),
    _an_item_schema_of_another_kind: ("no-invalid-media-type-examples", f"{_EXAMPLE}/8"),
    _a_problem_with_a_status_in_words: (
        "no-invalid-media-type-examples",
        "#/components/responses/NotFound/content/application~1problem+json/examples/path/value/status",
    ),
    _a_parameter_like_no_other: ("no-invalid-parameter-examples", "#/components/parameters/ReplyId/example"),
    _an_unused_schema: ("no-unused-components", "#/components/schemas/Spare"),
    _no_status_for_mistakes: ("operation-4xx-response", "#/paths/~1api~1conversations/get/responses"),
    _a_reference_to_nothing: ("no-unresolved-refs", "#/components/schemas/Reply/properties/usage"),
    _an_event_that_is_not_there: ("no-unresolved-refs", "#/components/schemas/ReplyEvent/anyOf/0"),
    _one_name_for_two: ("operation-operationId-unique", "#/paths/~1api~1ready/get/getHealth"),
    _a_required_field_that_is_not_there: (
        "no-required-schema-properties-undefined",
        "#/components/schemas/Usage/required/2",
    ),
    _a_slip_of_the_pen: ("struct", "#/paths/~1api~1ready/get/sumary"),
}


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the linter like `scripts/check`, in a folder with the same files."""
    return subprocess.run(
        [HERE / "run", *ITS_RUN.split(), *options],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def configure(folder: Path, config: object, ignored: object) -> None:
    """Copy the linter's files to where it expects them."""
    target = folder / "scripts" / "node"
    target.mkdir(parents=True)
    shutil.copy(HERE / "lint.mjs", target)
    (target / "redocly.yaml").write_text(json.dumps(config), "utf-8")
    (target / ".redocly.lint-ignore.yaml").write_text(json.dumps(ignored), "utf-8")


def problems(said: str) -> Iterator[tuple[str, Problem]]:
    """The file and the problem, for each problem; each pass over a file prints one JSON text."""
    decoder = json.JSONDecoder()
    while said := said.lstrip():
        report, end = decoder.raw_decode(said)
        said = said[end:]
        for problem in report["problems"]:
            place = problem["location"][0]
            yield place["source"]["ref"], (problem["ruleId"], place["pointer"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Problem]]:
    """The problems of each of the broken contracts, and of ours. In one run, because each is slow."""
    folder = tmp_path_factory.mktemp("lint")
    apis: dict[str, Any] = {}
    contracts: dict[str, Contract] = {"whole": DOCUMENT}
    for change in BROKEN:
        contracts[change.__name__] = copy.deepcopy(DOCUMENT)
        change(contracts[change.__name__])
    for name, contract in contracts.items():
        (folder / f"{name}.yaml").write_text(json.dumps(contract), "utf-8")
        apis |= {f"{name}-{look}": {**api, "root": f"../../{name}.yaml"} for look, api in CONFIG["apis"].items()}
    configure(folder, CONFIG | {"apis": apis}, {f"../../{name}.yaml": IGNORED for name in contracts})
    done = lint(folder, "--format=json")
    assert done.returncode == 1, done.stderr
    said: dict[str, set[Problem]] = {name: set() for name in contracts}
    for file, problem in problems(done.stdout):
        said[Path(file).stem].add(problem)
    return said


def test_the_contract_is_without_blame(found: dict[str, set[Problem]]) -> None:
    """As checked by `scripts/check`."""
    assert found["whole"] == set()


@pytest.mark.parametrize(("change", "problem"), BROKEN.items(), ids=[change.__name__[1:] for change in BROKEN])
def test_a_broken_contract_is_found_out(
    change: Callable[[Contract], None], problem: Problem, found: dict[str, set[Problem]]
) -> None:
    """At the right place, by the rule for it."""
    assert problem in found[change.__name__]


def test_the_check_fails_for_a_broken_contract(tmp_path: Path) -> None:
    """By its exit status, with the rule's name."""
    assert f"scripts/node/run {ITS_RUN}\n" in (ROOT / "scripts" / "check").read_text("utf-8")
    contract = copy.deepcopy(DOCUMENT)
    _two_ends(contract)
    (tmp_path / "openapi.yaml").write_text(json.dumps(contract), "utf-8")
    configure(tmp_path, CONFIG, {"../../openapi.yaml": IGNORED})
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "no-invalid-media-type-examples" in done.stderr + done.stdout


def test_every_exception_is_needed_and_has_its_reason(tmp_path: Path) -> None:
    """Without them, exactly these rules are violated, in exactly these places."""
    bare = copy.deepcopy(CONFIG)
    exceptions = bare["apis"]["contract"].pop("rules")
    assert set(exceptions.values()) == {"off"}
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    configure(tmp_path, bare, {})
    said = {problem for _, problem in problems(lint(tmp_path, "--format=json", "--max-problems=1000").stdout)}
    places = {(rule, place) for rule, places in IGNORED.items() for place in places}
    assert {rule for rule, _ in said} == exceptions.keys() | IGNORED.keys()
    assert {problem for problem in said if problem[0] in IGNORED} == places
    ignored = (HERE / ".redocly.lint-ignore.yaml").read_text("utf-8")
    assert re.findall(r"^  # .+\n  ([\w-]+):$", ignored, re.MULTILINE) == list(IGNORED)
    assert len(re.findall(r": 'off' # .+", (HERE / "redocly.yaml").read_text("utf-8"))) == len(exceptions)
