"""Releases the contract: copies `openapi.yaml` to `generated/released/VERSION.yaml`, and dates it in CHANGELOG.md.

From then on, `scripts/check` compares `openapi.yaml` with it. Refuses a version that is too low for the changes.
"""

import argparse
import datetime as dt
import shutil
import sys
from pathlib import Path

from scripts.contract.changes import CannotCompare, changes
from scripts.contract.compare import ROOT, told
from scripts.contract.releases import (
    UNRELEASED,
    Impact,
    Version,
    changelogs_releases,
    last_released,
    released_contract,
    version_of,
)


class CannotRelease(Exception):
    """The message says why, and what to do next."""


def release(root: Path, today: dt.date) -> Version:
    """Release the contract in this folder, and return its version.

    Raises `CannotRelease`, `CannotCompare`, `ValueError` for an invalid document or version, and `OSError`.
    """
    contract, changelog = root / "openapi.yaml", root / "CHANGELOG.md"
    version = version_of(contract)
    text = changelog.read_text("utf-8")
    newest, date = next(iter(changelogs_releases(text).items()), (None, None))
    if newest != version or date:
        raise CannotRelease(
            f"openapi.yaml has version {version}, but the first section of CHANGELOG.md is {newest} - "
            f"{date or UNRELEASED}. Next: raise info.version, start a section '## [VERSION] - {UNRELEASED}', and "
            "describe there what changes for users of the API."
        )
    released = last_released(root)
    if released is not None:
        _check_version(version, released, contract)
    kept = released_contract(root, version)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(contract, kept)
    text = text.replace(f"\n## [{version}] - {UNRELEASED}\n", f"\n## [{version}] - {today}\n")
    text = text.replace(f"\n[{version}]: openapi.yaml\n", f"\n[{version}]: {kept.relative_to(root).as_posix()}\n")
    changelog.write_text(text, "utf-8")
    return version


def _check_version(version: Version, released: Path, contract: Path) -> None:
    found = changes(released, contract)
    before = version_of(released)
    least = before.after(max((change.impact for change in found), default=Impact.PATCH))
    if version < least:
        lines = "\n".join(map(told, found))
        raise CannotRelease(f"{version} is too low after {before}: it must be at least {least}.\n{lines}")


if __name__ == "__main__":
    argparse.ArgumentParser("scripts/release", description=__doc__).parse_args()
    try:
        version = release(ROOT, dt.datetime.now(dt.UTC).date())
    except (CannotRelease, CannotCompare, ValueError, OSError) as error:
        sys.exit(f"scripts/release: {error}")
    print(f"Released {version}. Next: review the diff, run scripts/check, commit, and tag it v{version}.")
