"""The tables of engines in docs/bots.md are what `scripts/engines` prints. No engine is started here."""

import re

import pytest

from scripts.engine_trials.catalogue import ENGINES, TRANSFORMERS, Engine
from scripts.engine_trials.results import Result, kept, tables, written
from scripts.engine_trials.trials import TRIALS
from tests.docs.pages import PAGES

EACH = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())


def test_the_page_has_what_the_script_prints() -> None:
    """Of the results that were kept, letter by letter."""
    assert written() == tables(kept())


@EACH
def test_every_engine_was_tried_in_the_version_that_is_pinned(engine: Engine) -> None:
    """With every trial, each of which says something that fits into a cell."""
    result = kept()[engine.name]
    assert result.version == engine.version
    assert list(result.trials) == list(TRIALS)
    assert re.fullmatch(r"\d{1,2} [A-Z][a-z]+ 20\d\d", result.date)
    assert [said for said in result.trials.values() if not said or re.search(r"[|\n]", said)] == []


@EACH
def test_what_is_documented_is_what_is_started(engine: Engine) -> None:
    """Its options, and its program if the package has that; and its packages are pinned."""
    program, *words = engine.documented.split()
    started = [re.sub(r".*/", "", word) for word in engine.command]
    assert {word for word in words if word.startswith("-")} <= {*started, "-m"}
    assert engine.stands_in or program in started
    assert [pinned for pinned in engine.requirements if not re.fullmatch(r"[\w\[\]-]+==[\w.]+", pinned)] == []


def test_a_trial_that_was_not_made_is_told_as_such() -> None:
    """As after `--only`, or when a trial is new."""
    name = next(iter(ENGINES))
    lines = tables({name: Result("1", "1 January 2026", {})}).splitlines()
    assert [line for line in lines if line.endswith("| not tried |")] == [
        f"| {trial} | not tried |" for trial in TRIALS
    ]


def test_the_command_for_transformers_is_the_one_that_was_tried() -> None:
    """With the model's name in place of MODEL."""
    block = PAGES["bots.md"].all_blocks("sh", "Connect a model")[0].text
    (command,) = [line for line in block.splitlines() if " serve " in line]
    documented = TRANSFORMERS.documented
    assert (
        re.sub(r"\S+/(?=transformers )", "", command).replace("HuggingFaceTB/SmolLM2-135M-Instruct", "MODEL")
        == documented
    )
