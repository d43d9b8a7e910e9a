"""`python -m app settings`: every setting, its value, and where that comes from. Secrets are masked."""

import json
import re
import sys
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.operators.arguments import Parser
from app.settings import Settings, variable_name, variables

_MASK = "********"
_SECRET = re.compile("key|password|secret|(^|_)token$|authorization", re.IGNORECASE)
_NONE = "—"
_LONGEST = 60


def main(arguments: list[str], settings: Settings) -> int:
    """Print them. Returns the exit status."""
    parser = Parser(prog="python -m app settings", description=__doc__.partition(": ")[2])
    parser.add_argument("--json", action="store_true", help="print a JSON list, with the meaning of each setting")
    given = parser.parse(arguments)
    sources = {name: f"file {it.text}" if it.is_file else "environment" for name, it in variables().items()}
    rows = [
        {
            "name": variable_name(name),
            "value": shown(getattr(settings, name)),
            "source": sources.get(name, "default"),
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if given.json:
        text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    else:
        width = max(len(row["name"]) for row in rows)
        text = "".join(f"{row['name']:{width}}  {_short(row['value']):24}  {row['source']}\n" for row in rows)
    sys.stdout.buffer.write(text.encode())  # whatever the terminal's encoding is
    return 0


def described(name: str, field: FieldInfo) -> list[str]:
    """A row of the documentation's tables: the name, the default, and the meaning."""
    default = shown(field.default)
    return [f"`{variable_name(name)}`", default if default == _NONE else f"`{default}`", field.description or ""]


def shown(value: object) -> str:  # noqa: PLR0911 - a kind each
    """A value as people write it, without what is secret."""
    match value:
        case None | [] | "":
            return _NONE
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(str, value))
        case SecretStr():
            return _MASK
        case dict() if not value:
            return _NONE
        case dict():
            return json.dumps(_masked(value), ensure_ascii=False)
        case _:
            text = str(value)
            return _masked_url(text) if "://" in text else text


def _masked(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _masked(part)
        if isinstance(part, dict)
        else _MASK
        if isinstance(part, SecretStr) or (isinstance(part, str) and _SECRET.search(name))
        else part
        for name, part in value.items()
    }


def _masked_url(text: str) -> str:
    """Without a password, and without the values of the query, which are keys for some engines."""
    address, mark, query = re.sub(r"(://[^:@]*):.*@", rf"\1:{_MASK}@", text, flags=re.DOTALL).partition("?")
    return address + mark + re.sub("=[^&]*", f"={_MASK}", query)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
