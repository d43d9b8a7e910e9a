"""Which environment variables set what: by value, or with `_FILE` at the end of the name by the path of a file.

Names of settings are case-insensitive. A name with the prefix that is not known is an error, never ignored, so that a
typing error does not silently mean the default.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from app.environment.cleaned import cleaned
from app.environment.links import is_service_link

PREFIX = "CHAT_"
_FILE = "_FILE"
_MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Variable:
    """One that sets a setting."""

    name: str
    text: str = field(repr=False)
    """The value, or the path of the file that contains it; cleaned, and not empty."""
    is_file: bool = False

    def value(self) -> str:
        """What it says. Raises `ValueError`, with a text that repeats nothing of the value."""
        return _content(self.text) if self.is_file else self.text


@dataclass(frozen=True, slots=True)
class Findings:
    """What the environment says."""

    variables: dict[str, Variable] = field(default_factory=dict)
    """By the setting's name in code, such as `host`."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Names of variables, and what is wrong with each."""
    service_links: list[str] = field(default_factory=list)
    """Names of variables that were ignored."""


def found(environment: Mapping[str, str], settings: Collection[str]) -> Findings:
    """Look for settings. A variable without a value is as good as not there."""
    findings = Findings()
    for name, value in environment.items():
        upper = name.upper()
        if not upper.startswith(PREFIX):
            continue
        if is_service_link(upper, value):
            findings.service_links.append(name)
            continue
        setting = upper.removeprefix(PREFIX).lower()
        is_file = setting not in settings and upper.endswith(_FILE)
        if is_file:
            setting = setting.removesuffix(_FILE.lower())
        if setting not in settings:
            findings.problems.append((name, f"this is not a setting{_hint(upper, settings)}"))
            continue
        try:
            text = cleaned(value)
        except ValueError as error:
            findings.problems.append((name, f"{error}. Next: write the value anew"))
            continue
        if text:
            _add(findings, setting, Variable(name, text, is_file))
    return findings


def _add(findings: Findings, setting: str, variable: Variable) -> None:
    other = findings.variables.setdefault(setting, variable)
    if other is not variable:
        findings.problems.append((variable.name, f"{other.name} sets the same. Next: remove one of them"))


def _hint(name: str, settings: Collection[str]) -> str:
    known = [PREFIX + setting.upper() for setting in settings]
    near = get_close_matches(name, [*known, *(other + _FILE for other in known)], n=1)
    return f"; did you mean {near[0]}?" if near else ". Next: `python -m app settings` lists all settings"


def _content(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            said = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not a path"
        msg = f"{path} cannot be read: {reason}. Next: check the path and its permissions"
        raise ValueError(msg) from None
    if len(said) > _MOST_BYTES:
        msg = f"{path} is larger than {_MOST_BYTES} bytes. Next: check the path"
        raise ValueError(msg)
    try:
        text = cleaned(said.decode())
    except UnicodeDecodeError:
        msg = f"{path} is not UTF-8 text. Next: save it as UTF-8"
        raise ValueError(msg) from None
    except ValueError as error:
        msg = f"{path}: {error}. Next: write the file anew"
        raise ValueError(msg) from None
    if not text:
        msg = f"{path} is empty. Next: write the value into it, or unset the variable"
        raise ValueError(msg)
    return text
