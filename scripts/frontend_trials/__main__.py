"""`python -m scripts.frontend_trials`: installs clients, tries them, and prints a table or writes it into the page."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from .catalogue import CLIENTS, Client
from .trials import HEADS, TRIALS, run

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PLACE = ROOT / "build" / "frontends"
KEPT = HERE / "results.json"
PAGE = ROOT / "docs" / "frontends.md"
_BEGIN, _END = "<!-- Written by scripts/frontends -->\n", "<!-- Until here -->\n"

_MARK = "installed"
_BETWEEN = re.compile(f"(?<={re.escape(_BEGIN)}).*(?={re.escape(_END)})", re.DOTALL)

Result = dict[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/frontends", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(client.name for client in CLIENTS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/frontends.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {client.name for client in CLIENTS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    results = kept()
    failed = False
    for client in CLIENTS:
        if not arguments.names or client.name in arguments.names:
            try:
                results[client.name] = tried(client)
            except (RuntimeError, subprocess.CalledProcessError) as error:
                failed = True
                say(f"{client.name}: {error}")
    print(table(results))
    if arguments.write:
        ordered = {client.name: results[client.name] for client in CLIENTS if client.name in results}
        KEPT.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", "utf-8")
        PAGE.write_text(_BETWEEN.sub(lambda _: f"\n{table(results)}\n", PAGE.read_text("utf-8")), "utf-8")
    return int(failed)


def kept() -> dict[str, Result]:
    """By the client's name."""
    results: dict[str, Result] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return results


def written() -> str:
    """What the page has."""
    found = _BETWEEN.search(PAGE.read_text("utf-8"))
    return found[0].strip("\n") + "\n" if found else ""


def tried(client: Client) -> Result:
    """The version of a client, the date, and what came of each trial."""
    place = PLACE / client.name
    command, version = (of_page if client.is_page else of_npm if client.is_node else of_pip)(client, place)
    result: Result = {"version": version, "date": datetime.now(UTC).date().isoformat()}
    for name, told in TRIALS.items():
        if name == "whole" and client.only_streams:
            result[name] = "only streams"
            continue
        if name == "back" and not client.can_be_reloaded:
            result[name] = "no page"
            continue
        try:
            result[name] = told(run(command, name, environment(), client))
        except RuntimeError as error:
            say(f"{client.name} {name}: {error}")
            result[name] = "**not seen**"
        say(f"{client.name} {version} {name}: {result[name]}")
    return result


def of_pip(client: Client, place: Path) -> tuple[list[str], str]:
    """How to run a client's program in Python, and its version."""
    python = place / "bin" / "python"
    if not (place / _MARK).exists():
        say(f"{client.name}: installs {', '.join(client.packages)}")
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *client.packages], check=True)
        (place / _MARK).touch()
    asked = f"from importlib.metadata import version; print(version({client.versioned!r}))"
    done = subprocess.run([str(python), "-c", asked], check=True, capture_output=True, text=True)
    return [str(python), str(HERE / "programs" / client.program)], done.stdout.strip()


def of_npm(client: Client, place: Path) -> tuple[list[str], str]:
    """The same in Node."""
    version = with_packages(client, place)
    return ["node", str(place / client.program)], version


def of_page(client: Client, place: Path) -> tuple[list[str], str]:
    """The same in a browser."""
    version = with_packages(client, place)
    bundle = place / "page.js"
    options = ["--bundle", "--jsx=automatic", '--define:process.env.NODE_ENV="production"', f"--outfile={bundle}"]
    fonts = [f"--loader:.{kind}=empty" for kind in ("ttf", "woff", "woff2")]
    command = ["node_modules/.bin/esbuild", client.program, "--log-level=error", *options, *fonts]
    subprocess.run(command, check=True, cwd=place)
    between = [str(copied(client.runtime, place))] if client.runtime else []
    return [sys.executable, str(HERE / "programs" / "in_chromium.py"), str(bundle), *between], version


def with_packages(client: Client, place: Path) -> str:
    """Install, and copy the program next to its packages, where Node looks for them. Returns the client's version."""
    installed = place / "node_modules" / client.versioned / "package.json"
    if not installed.exists():
        say(f"{client.name}: installs {', '.join(client.packages)}")
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text('{"private": true}\n', "utf-8")
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", *client.packages], check=True, cwd=place)
    copied(client.program, place)
    return str(json.loads(installed.read_text("utf-8"))["version"])


def copied(name: str, place: Path) -> Path:
    """A program next to the packages of a client."""
    return Path(shutil.copyfile(HERE / "programs" / name, place / name))


def environment() -> dict[str, str]:
    """Without the settings of the service, without proxies on the way to this machine, and without telemetry."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CHAT_", "PYTHONPATH"))}
    silent = {"COPILOTKIT_TELEMETRY_DISABLED": "true", "GRADIO_ANALYTICS_ENABLED": "False"}
    return mine | silent | {"NO_PROXY": "127.0.0.1,localhost", "OPENAI_API_KEY": "any"}


def table(results: dict[str, Result]) -> str:
    """Markdown."""
    found = [(client.title, results.get(client.name, {})) for client in CLIENTS]
    rows = [[title, *(one.get(name, "not tried") for name in ("version", *TRIALS))] for title, one in found]
    dates = sorted({result["date"] for result in results.values()})
    head = ["client", "version", *HEADS.values()]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", f"Tried on {dates[0]}." if dates else "Not tried yet.", ""])


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
