"""Makes a client in its folder, unless it is there, made of the same contract in the same way."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import FileLock

from scripts.clients.environment import BUILD, LOCK, ROOT, GenerationFailed, install, run
from scripts.clients.kinds import CONTRACT, HERE, KINDS, Kind
from scripts.derive import derive

_MARK = "made.json"


@dataclass(frozen=True, slots=True)
class Made:
    """A client that was generated."""

    folder: Path
    complaint: str
    """What the type checker says against it; empty if it is strictly typed."""


def make(name: str, out: Path = BUILD, kind: Kind | None = None, contract: Path = CONTRACT) -> Made:
    """Generate the client into a folder of its name, and check its types. `kind` is for one that is not in `KINDS`.

    `contract` may be one that was released. What it has made itself, it replaces; nothing else. Raises
    `GenerationFailed`.
    """
    install()
    kind = kind or KINDS[name]
    folder = out.resolve() / name
    document = json.dumps(derive(yaml.safe_load(contract.read_text("utf-8"))), ensure_ascii=False)
    mark, sources = folder / _MARK, _sources(document)
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
        source = folder / "openapi-3.1.json"
        source.write_text(document, "utf-8")
        kind.make(folder, source)
        made = Made(folder, _complaint(kind.check, folder))
        mark.write_text(json.dumps({"sources": sources, "complaint": made.complaint}), "utf-8")
    return made


def _complaint(check: tuple[str, ...], folder: Path) -> str:
    try:
        run(list(check), folder)
    except GenerationFailed as failure:
        return str(failure)
    return ""


def _sources(document: str) -> str:
    """A digest of all that a client is made of."""
    own = sorted(path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = [LOCK, ROOT / "scripts" / "node" / "package-lock.json", *own]
    return hashlib.sha256(b"\0".join([document.encode(), *(file.read_bytes() for file in files)])).hexdigest()
