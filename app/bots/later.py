"""How long to wait before a retry, according to an engine's headers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_SECONDS = 86_400.0
_MOST_DIGITS = 20


def retry_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds, from milliseconds, (fractional) seconds or a date; `None` if the headers do not say."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return _bounded(milliseconds / 1000)
    value = headers.get("Retry-After", "").strip()
    if (seconds := _number(value)) is not None:
        return _bounded(seconds)
    try:
        date = parsedate_to_datetime(value)
    except (OverflowError, ValueError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return _bounded((date - datetime.now(UTC)).total_seconds())


def _number(value: str) -> float | None:
    whole, _, fraction = value.strip().removesuffix("s").partition(".")
    if (
        not whole.isascii()
        or not whole.isdigit()
        or not (fraction == "" or (fraction.isascii() and fraction.isdigit()))
    ):
        return None
    return float(f"{whole[:_MOST_DIGITS]}.{fraction[:_MOST_DIGITS] or 0}")


def _bounded(seconds: float) -> float:
    return max(0.0, min(seconds, _LONGEST_SECONDS))
