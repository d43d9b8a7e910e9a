"""What is said of the verifier is so: the README's table, the exit statuses, and the workflow for a CI of users."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from scripts.verification.trying import LAWS
from tests.contract.document import ROOT
from tests.docs.readme import PROSE, table
from tests.support.server import LiveServer

_WORKFLOW = ROOT / "scripts" / "verification" / "example-workflow.yml"


def test_every_law_is_listed_with_its_meaning() -> None:
    """And no other."""
    assert [[f"`{law.name}`", law.meaning] for law in LAWS] == table("Verify a deployment")


def test_every_exit_status_is_told() -> None:
    """Where a CI's author looks for them."""
    section = PROSE.partition("## Verify a deployment\n")[2].partition("\n## ")[0]
    assert all(f"**{status}**" in section for status in (0, 1, 2, 3))
    assert f"({_WORKFLOW.relative_to(ROOT)})" in section


def test_the_workflow_works(tmp_path: Path) -> None:
    """Its one command is run here as a runner would run it, for less long; and the report is where it is looked for."""
    workflow: dict[str, Any] = yaml.safe_load(_WORKFLOW.read_text("utf-8"))
    steps = workflow["jobs"]["verify"]["steps"]
    (verifying,) = [step for step in steps if "run" in step]
    (uploading,) = [step for step in steps if step.get("with", {}).get("name") == "verify"]
    assert uploading["if"] == "always()"
    assert "--seconds 120" in verifying["run"]
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        settings = dict.fromkeys(verifying["env"], "") | {"VERIFY_URL": server.url, "RUNNER_TEMP": str(tmp_path)}
        done = _run(
            verifying["run"].replace("--seconds 120", "--seconds 120 --rate 100 --law grammar --law text"), settings
        )
        assert done.returncode == 0, done.stdout + done.stderr
    done = _run(verifying["run"], settings)
    assert done.returncode == 3
    assert "::error::The deployment cannot be reached" in done.stdout
    assert (tmp_path / uploading["with"]["path"].removeprefix("${{ runner.temp }}/")).is_file()


def _run(text: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As GitHub's runners do."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        cwd=ROOT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
