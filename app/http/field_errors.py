"""Describes what is wrong with a request's body, and where, without repeating a value.

The models are generated, so their errors are those of pydantic; the contract has places as JSON Pointers (RFC 6901).
"""

import re
from difflib import get_close_matches
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from generated.models import FieldError

MAX_ERRORS = 20
_MAX_DETAILS = 4 * MAX_ERRORS
"""No union has more than three branches, so this is enough. A large body may have far more."""

_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}")

_Place = tuple[str | int, ...]


def field_errors(error: ValidationError, body: object, model: type[BaseModel]) -> list[FieldError]:
    """The errors of a body, which is any JSON value. At most `MAX_ERRORS`.

    A value that fits no branch of a union has an error for each. Those that expect another type are left out if the
    value has the type of another branch.
    """
    details = error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_DETAILS]
    placed = [(_place(detail, body), detail) for detail in details]
    known = {
        place[:length]
        for place, detail in placed
        for length in range(len(place) if _is_of_type(detail) else len(place) + 1)
    }
    told = (each for each in placed if not (_is_of_type(each[1]) and each[0] in known))
    return [_field_error(detail, place, model) for place, detail in islice(told, MAX_ERRORS)]


def _is_of_type(detail: ErrorDetails) -> bool:
    return detail["type"].endswith("_type")


def _place(detail: ErrorDetails, body: Any) -> _Place:  # noqa: ANN401 - any JSON value
    """Where in the body an error is: its location without the branches of unions, which are no part of the body."""
    location = detail["loc"]
    missing = location[-1:] if detail["type"] == "missing" else ()
    place: list[str | int] = []
    value = body
    for part in location[: len(location) - len(missing)]:
        is_key = isinstance(value, dict) and part in value
        is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_key or is_index:
            value = value[part]
            place.append(part)
    return (*place, *missing)


def _pointer(place: _Place) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _field_error(detail: ErrorDetails, place: _Place, model: type[BaseModel]) -> FieldError:
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_field(str(detail["loc"][0]), model)
        case _ if not place:
            what = "The body should be a JSON object."
        case "model_type":
            what = "Should be a JSON object."
        case "string_pattern_mismatch" if len(place) == 1 and (described := _description(str(place[0]), model)):
            what = f"Does not have the form that the contract describes: {described}"
        case _:
            what = detail["msg"]
    return FieldError(pointer=_pointer(place), detail=what)


def _description(name: str, model: type[BaseModel]) -> str:
    """What the contract says of a field; empty if nothing."""
    fields = {field.alias: field for field in model.model_fields.values()}
    field = fields.get(name) or model.model_fields.get(name)
    return " ".join((field.description or "").split()) if field else ""


def _unknown_field(name: str, model: type[BaseModel]) -> FieldError:
    """The name is repeated only if it looks like a field name."""
    known = ", ".join(model.model_fields)
    if not _NAME.fullmatch(name):
        return FieldError(pointer="", detail=f"There is an unknown field. The known fields are: {known}.")
    near = get_close_matches(name.lower(), model.model_fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"The known fields are: {known}."
    return FieldError(pointer=f"/{name}", detail=f"Unknown field. {hint}")
