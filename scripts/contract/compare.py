"""Holds `openapi.yaml` against the contract that was released last: who breaks it has to say so by the version.

Semantic Versioning: a breaking change raises the first number or, as long as that is 0, the second.
"""

import sys
from pathlib import Path

from scripts.contract.changes import CannotCompare, Change, changes
from scripts.contract.releases import Impact, changelogs_releases, last_released, version_of

ROOT = Path(__file__).parent.parent.parent


def complaint(root: Path) -> str:
    """What is wrong with the contract in this folder, for people to read; nothing if all is well.

    Raises `CannotCompare`, `ValueError` for what does not parse or is no version, and `OSError`.
    """
    dates = changelogs_releases((root / "CHANGELOG.md").read_text("utf-8"))
    recorded = max((version for version, date in dates.items() if date), default=None)
    released = last_released(root)
    before = released and version_of(released)
    if before != recorded:
        return (
            f"CHANGELOG.md says that {recorded or 'nothing'} was released last, and generated/released/ that "
            f"{before or 'nothing'} was."
        )
    if released is None or before is None:
        return ""
    now = version_of(root / "openapi.yaml")
    if now < before:
        return f"openapi.yaml is of version {now}, which is older than what was released last, {before}."
    breaking = [change for change in changes(released, root / "openapi.yaml") if change.impact is Impact.MAJOR]
    least = before.after(Impact.MAJOR)
    if not breaking or now >= least:
        return ""
    return "\n".join(
        [
            f"openapi.yaml is of version {now} and breaks {before}, which was released:",
            *map(told, breaking),
            f"Take that back; or make it at least version {least}, in openapi.yaml and CHANGELOG.md.",
        ]
    )


def told(change: Change) -> str:
    """A line about a change."""
    first, *more = change.places
    return f"  {first}{f' and {len(more)} more' * bool(more)}: {change.what}"


if __name__ == "__main__":
    try:
        sys.exit(complaint(ROOT) or 0)
    except (CannotCompare, ValueError, OSError) as error:
        sys.exit(f"The contract cannot be compared with the one that was released last: {error}")
