"""How many examples a law is tried with, where each costs more than most laws' do."""

from hypothesis import settings

_FEWEST = 5

_asked: int | None = None


def use(examples: int | None) -> None:
    """Set what the option `--laws` says, if anything."""
    global _asked  # noqa: PLW0603 - the one thing that the whole run has to know
    _asked = examples


def costly(times: int) -> settings:
    """Settings for a law each of whose examples costs as much as `times` of another's.

    It is tried with as many fewer, unless `--laws` says how many.
    """
    profile = settings.get_profile("laws")
    return settings(profile, max_examples=_asked or max(_FEWEST, (profile.max_examples or 0) // times))
