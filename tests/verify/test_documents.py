"""What the help, the documentation's table of laws and the CI workflow say about the verifier is true."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from chat_verify.__main__ import argument_parser
from chat_verify.trying import LAWS
from tests.support.server import LiveServer
from tests.verify.places import PACKAGE, ROOT

_WORKFLOW = ROOT / "scripts" / "verification" / "example-workflow.yml"
_HEADER = "| law | what it says |"
_PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if _HEADER in page.read_text("utf-8")]


def test_the_help_lists_every_law_and_every_exit_status() -> None:
    """Each law with its meaning."""
    text = argument_parser().format_help()
    assert all(f"{law.name:13}{law.meaning}" in text for law in LAWS)
    assert all(f"\n  {status} " in text for status in (0, 1, 2, 3))


def test_it_needs_its_own_dependencies_and_nothing_else_of_this_checkout(tmp_path: Path) -> None:
    """To verify somebody else's server, one installs only the package."""
    package = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))
    declared = [dependency.partition(">")[0] for dependency in package["project"]["dependencies"]]
    assert declared == ["httpx", "jsonschema-rs", "pyyaml"]
    imports = "import sys, chat_verify.__main__, chat_verify.plugin"
    command = [sys.executable, "-P", "-c", f"{imports}; print(*{{name.split('.')[0] for name in sys.modules}})"]
    settings = os.environ | {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(command, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    imported = set(done.stdout.split())
    assert {"chat_verify", "httpx", "jsonschema_rs", "yaml"} <= imported
    assert not imported & {"app", "generated", "hypothesis", "pydantic", "schemathesis", "scripts", "tests"}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_a_page_that_lists_the_laws_lists_them_as_they_are(page: Path) -> None:
    """All of them, with their meanings, in order."""
    _, _, rest = page.read_text("utf-8").partition(_HEADER + "\n")
    rows = [line for line in rest.partition("\n\n")[0].splitlines()[1:] if line.startswith("|")]
    assert rows == [f"| `{law.name}` | {law.meaning} |" for law in LAWS]


def test_the_workflow_works(tmp_path: Path) -> None:
    """Its step is run here like in a runner, but shorter; and the reports are in the right place."""
    workflow: dict[str, Any] = yaml.safe_load(_WORKFLOW.read_text("utf-8"))
    steps = {step.get("name"): step for step in workflow["jobs"]["verify"]["steps"]}
    verifying, keeping = steps["Verify"], steps["Keep the reports"]
    assert steps["Install the verifier"]["run"] == "python -m pip install './scripts/verification[fuzz]'"
    assert keeping["if"] == "always()"
    assert keeping["with"]["path"] == "${{ runner.temp }}/verify.*"
    assert "--seconds 120" in verifying["run"]
    installed = tmp_path / "bin" / "chat-verify"
    installed.parent.mkdir()
    installed.write_text(f'#!/bin/sh\nexec "{ROOT}/scripts/verify" "$@"\n', "utf-8")
    installed.chmod(0o755)
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        settings = dict.fromkeys(verifying["env"], "") | {"VERIFY_URL": server.url, "RUNNER_TEMP": str(tmp_path)}
        settings["PATH"] = f"{installed.parent}:{os.environ['PATH']}"
        done = _run(verifying["run"].replace("--seconds 120", "--seconds 10 --rate 100 --law grammar"), settings)
        assert done.returncode == 0, done.stdout + done.stderr
    done = _run(verifying["run"], settings)
    assert done.returncode == 3
    assert "::error::The deployment cannot be reached" in done.stdout
    assert (tmp_path / "verify.xml").is_file()
    assert (tmp_path / "verify.sarif").is_file()


def _run(text: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Like GitHub's runners."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=ROOT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
