"""What is wrong with a value, in words for operators: what to write instead, and nothing of the value."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "dict_type": 'write a JSON object, such as {{"name": "value"}}',
    "finite_number": "write a number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "write a whole number",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "int_type": "write a whole number",
    "less_than_equal": "must be at most {le}",
    "list_type": "write a list, with commas between the items",
    "literal_error": "write one of {expected}",
    "string_type": "write text, in quotes",
    "too_short": "name at least one",
    "url_parsing": "write an address such as https://example.org",
    "url_scheme": "write an address that begins with http:// or https://",
    "url_type": "write an address such as https://example.org",
}
"""By pydantic's type of an error."""


def worded(detail: Mapping[str, Any]) -> str:
    """One of pydantic's errors; whatever our own validators say is taken as it is."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _WORDS:
        numbers = {name: f"{value:g}" for name, value in context.items() if isinstance(value, float)}
        text = _WORDS[kind].format(**context | numbers).replace("'", "`").replace(" or `", ", `")
    else:
        text = str(detail["msg"]).removeprefix("Value error, ")
    if kind == "value_error" or len(detail["loc"]) == 1:
        return text
    place = detail["loc"][1]
    return f"item {place + 1}: {text}" if isinstance(place, int) else f"{place}: {text}"
