"""Compares `openapi.yaml` with the last released contract: a breaking change must raise the version accordingly.

Semantic Versioning: a breaking change raises the major version or, while that is 0, the minor version.
"""

import sys
from pathlib import Path

from scripts.contract.changes import CannotCompare, Change, changes
from scripts.contract.releases import Impact, changelogs_releases, last_released, version_of

ROOT = Path(__file__).parent.parent.parent


def complaint(root: Path) -> str:
    """What is wrong with the contract in this folder, as text; empty if nothing is.

    Raises `CannotCompare`, `ValueError` for an invalid document or version, and `OSError`.
    """
    dates = changelogs_releases((root / "CHANGELOG.md").read_text("utf-8"))
    recorded = max((version for version, date in dates.items() if date), default=None)
    released = last_released(root)
    before = released and version_of(released)
    if before != recorded:
        return (
            f"The last release is {recorded or 'missing'} in CHANGELOG.md, but {before or 'missing'} in "
            "generated/released/."
        )
    if released is None or before is None:
        return ""
    now = version_of(root / "openapi.yaml")
    if now < before:
        return f"openapi.yaml has version {now}, which is lower than the last release, {before}."
    breaking = [change for change in changes(released, root / "openapi.yaml") if change.impact is Impact.MAJOR]
    least = before.after(Impact.MAJOR)
    if not breaking or now >= least:
        return ""
    return "\n".join(
        [
            f"openapi.yaml has version {now} and breaks the released version {before}:",
            *map(told, breaking),
            f"Next: undo these changes, or raise the version to at least {least} in openapi.yaml and CHANGELOG.md.",
        ]
    )


def told(change: Change) -> str:
    """A change as one line of text."""
    first, *more = change.places
    return f"  {first}{f' and {len(more)} more' * bool(more)}: {change.what}"


if __name__ == "__main__":
    try:
        sys.exit(complaint(ROOT) or 0)
    except (CannotCompare, ValueError, OSError) as error:
        sys.exit(f"The contract cannot be compared with the last release: {error}")
