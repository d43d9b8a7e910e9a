"""`scripts/sdk`: generates clients, and prints where each one is and whether it is strictly typed."""

import argparse
import sys
from pathlib import Path

from scripts.clients.environment import BUILD, GenerationFailed
from scripts.clients.kinds import KINDS
from scripts.clients.making import make

_RECOMMENDED = [name for name, kind in KINDS.items() if kind.is_recommended]
_HELP = "\n".join(
    [
        "clients:",
        *[f"  {name}{' (recommended)' * (name in _RECOMMENDED)}" for name in KINDS],
        "  all",
        "",
        "By default, the recommended ones are generated. docs/sdks.md compares all of them.",
    ]
)


def main() -> int:
    """Returns 1 if a client cannot be generated, or a recommended one is not strictly typed."""
    parser = argparse.ArgumentParser(
        prog="scripts/sdk",
        description="Generate clients from the contract, and check their types.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("client", nargs="*", type=_client, metavar="CLIENT")
    parser.add_argument("--out", type=Path, default=BUILD, help="the parent folder of the clients (default: build/sdk)")
    arguments = parser.parse_args()
    chosen = arguments.client or _RECOMMENDED
    succeeded = [_is_made(name, arguments.out) for name in (KINDS if "all" in chosen else chosen)]
    return int(not all(succeeded))


def _client(name: str) -> str:
    if name not in {*KINDS, "all"}:
        raise argparse.ArgumentTypeError(f"there is no '{name}'. Next: one of {', '.join(KINDS)}, or all.")
    return name


def _is_made(name: str, out: Path) -> bool:
    try:
        made = make(name, out)
    except GenerationFailed as failure:
        print(f"FAILED  {name}: {failure}", flush=True)
        return False
    is_good = not (made.complaint and KINDS[name].is_recommended)
    types = "the type checker complains" if made.complaint else "strictly typed"
    print(f"{'ok' if is_good else 'FAILED':7} {name:29} {types:27} {_shown(made.folder)}", flush=True)
    if not is_good:
        print(made.complaint)
    return is_good


def _shown(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


if __name__ == "__main__":
    sys.exit(main())
