"""What is known of all engines, kept as JSON, and the two tables that docs/bots.md has of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .catalogue import CONTEXT_TOKENS, ENGINES, SLOTS, Engine
from .process import ROOT
from .trials import TRIALS

KEPT = Path(__file__).parent / "results.json"
PAGE = ROOT / "docs" / "bots.md"

_BEGIN, _END = "<!-- Written by scripts/engines -->\n", "<!-- Until here -->\n"
_BETWEEN = re.compile(f"(?<={re.escape(_BEGIN)}).*(?={re.escape(_END)})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one engine."""

    version: str
    date: str
    trials: Mapping[str, str]
    """By what a trial is called; without those that were not made."""


def kept() -> dict[str, Result]:
    """By the engine's name."""
    known = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return {name: Result(**result) for name, result in known.items()}


def keep(results: Mapping[str, Result]) -> None:
    """Add to what is kept, or replace it, and write the tables."""
    known = kept()
    for name, result in results.items():
        earlier = known.get(name)
        is_same = earlier is not None and earlier.version == result.version
        trials = {**(earlier.trials if earlier and is_same else {}), **result.trials}
        known[name] = Result(result.version, result.date, {name: trials[name] for name in TRIALS if name in trials})
    ordered = {name: asdict(known[name]) for name in ENGINES if name in known}
    KEPT.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", "utf-8")
    page = PAGE.read_text("utf-8")
    PAGE.write_text(_BETWEEN.sub(lambda _: f"\n{tables(known)}\n", page), "utf-8")


def written() -> str:
    """What the page has."""
    found = _BETWEEN.search(PAGE.read_text("utf-8"))
    return found[0].strip("\n") + "\n" if found else ""


def tables(results: Mapping[str, Result]) -> str:
    """Markdown: how to start each engine, and what came of the trials."""
    engines = [engine for name, engine in ENGINES.items() if name in results]
    start = [["engine", "version", "command", "what to know"], *(_start(engine) for engine in engines)]
    heads = ["", *(engine.title for engine in engines)]
    rows = [[name, *(results[engine.name].trials.get(name, "not tried") for engine in engines)] for name in TRIALS]
    dates = sorted({results[engine.name].date for engine in engines})
    made = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    other = " and ".join(engine.title for engine in engines if engine.stands_in)
    conditions = (
        f"Tried on {made}, on one core of a shared machine, without a GPU, with SmolLM2 135M; where that can be set, "
        f"with a context of {CONTEXT_TOKENS:,} tokens and {SLOTS} replies at the same time. Idle means that the engine "
        "takes no more of the processor than before; how fast it is depends on what else the machine does."
    )
    if other:
        conditions += (
            f" For {other}, whose packages lack the program, the same server was started with the same options."
        )
    return f"{_table(start)}\n{conditions}\n\n{_table([heads, *rows])}"


def _start(engine: Engine) -> list[str]:
    return [engine.title, engine.version, f"`{engine.documented}`", engine.notes or "—"]


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body)).replace("|  |", "| |")
