"""Makes a client in its folder, unless it is there, made of the same contract in the same way."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from scripts.clients.environment import BUILD, LOCK, ROOT, GenerationFailed, install, run
from scripts.clients.kinds import CONTRACT, DERIVED, HERE, KINDS, Kind

_MARK = "made.json"


@dataclass(frozen=True, slots=True)
class Made:
    """A client that was generated."""

    folder: Path
    complaint: str
    """What the type checker says against it; empty if it is strictly typed."""


def make(name: str, out: Path = BUILD, kind: Kind | None = None) -> Made:
    """Generate the client into a folder of its name, and check its types. `kind` is for one that is not in `KINDS`.

    What it has made itself, it replaces; nothing else. Raises `GenerationFailed`.
    """
    install()
    kind = kind or KINDS[name]
    folder = out.resolve() / name
    mark, sources = folder / _MARK, _sources()
    with FileLock(BUILD / f"{name}.lock"):  # tests may be at it, too
        if mark.exists():
            if (made := json.loads(mark.read_text("utf-8")))["sources"] == sources:
                return Made(folder, made["complaint"])
            shutil.rmtree(folder)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise GenerationFailed(f"{folder} is there, and not from here. Next: remove it, or choose --out.") from None
        mark.write_text(json.dumps({"sources": None}), "utf-8")
        kind.make(folder)
        made = Made(folder, _complaint(kind.check, folder))
        mark.write_text(json.dumps({"sources": sources, "complaint": made.complaint}), "utf-8")
    return made


def _complaint(check: tuple[str, ...], folder: Path) -> str:
    try:
        run(list(check), folder)
    except GenerationFailed as failure:
        return str(failure)
    return ""


def _sources() -> str:
    """A digest of all that a client is made of."""
    own = sorted(path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = [CONTRACT, DERIVED, LOCK, ROOT / "scripts" / "node" / "package-lock.json", *own]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
