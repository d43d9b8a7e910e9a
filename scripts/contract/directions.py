"""Corrects the impact of changes in responses: an allowed extension breaks nobody, but a removed value may.

`redocly diff` considers every extension of a response breaking, and every restriction harmless. But clients must ignore
what they do not know, and a client that waits for a removed value waits for ever.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.contract.documents import ANY_OTHER, Document, Node
from scripts.contract.releases import Impact

Told = Mapping[str, Any]
"""One change as reported by `redocly diff`."""

_OF_A_RESPONSE = re.compile("^#/(paths/.*/responses|components/(responses|headers))/")
_OF_A_WORD = re.compile("(.*)/anyOf/[0-9]+/enum")
_BRANCHES_OF_A_CONDITION = ("/then", "/else")
_OF_A_UNION = re.compile("(.*)/anyOf/[0-9]+")
_ONE_CLASS = re.compile(r"\^(\[[^\]]+\])\{(\d+)\}\$")
_CLASSES = re.compile(r"\^(\[[^\]]+\](\{\d+(,\d+)?\})?)+\$")
_ASCII = list(map(chr, range(128)))


def judged(before: Document, told: Told, after: Document) -> Iterator[tuple[Impact, str]]:
    """The impact and the description of a change, once for each verdict about it."""
    is_of_a_response = _OF_A_RESPONSE.match(told["path"]) is not None
    lost = _values(told, "base") - _values(told, "revision") if is_of_a_response else set()
    if lost:
        yield Impact.MAJOR, f"Enum of `{_name(told['path'])}` lost values: {', '.join(map(repr, sorted(lost)))}."
    for verdict in told["verdicts"]:
        impact = Impact[verdict["impact"].upper()]
        if is_of_a_response and impact is Impact.MAJOR and _has_room(before, told, verdict):
            impact = Impact.MINOR
        if not is_of_a_response and told.get("property") == "pattern" and _takes_more(told):
            impact = Impact.MINOR
        if told["path"].endswith(_BRANCHES_OF_A_CONDITION) and _is_met_by_all(before, told, after):
            impact = Impact.MINOR
        yield impact, verdict["message"]
    if not (told["verdicts"] or lost):
        yield Impact[told["impact"].upper()], f"`{told['path'].rpartition('/')[2]}` was {told['kind']}."


def _has_room(before: Document, told: Told, verdict: Told) -> bool:
    """Whether the old contract already allowed the extension."""
    match verdict["ruleId"]:
        case "schema-constraint-changed":
            return told.get("property") == "additionalProperties" and told["revision"].get("value", True) is True
        case "enum-values-added":
            union = _OF_A_WORD.fullmatch(told["base"]["pointer"])
            added = _values(told, "revision") - _values(told, "base")
            return union is not None and any(_takes(one, added) for one in _union(before, union[1]))
        case "schema-combinator-changed" if told["kind"] == "added":
            union = _OF_A_UNION.fullmatch(told["revision"]["pointer"])
            return union is not None and ANY_OTHER in before.events({"itemSchema": {"anyOf": _union(before, union[1])}})
        case _:
            return False


def _is_met_by_all(before: Document, told: Told, after: Document) -> bool:
    """Whether what is asked on a condition is met by everything that the old schema accepted.

    `else` may require what was always required; `then` may ask anything, if the condition is a field that was refused.
    """
    pointer, _, word = told.get("revision", {}).get("pointer", "").rpartition("/")
    if told["kind"] != "added" or not pointer:
        return False
    old, new = before.resolved({"$ref": pointer}), after.resolved({"$ref": pointer})
    if word == "else":
        return new["else"].keys() == {"required"} and set(new["else"]["required"]) <= set(old.get("required", ()))
    is_closed = old.get("additionalProperties") is False
    return is_closed and bool(set(new["if"].get("required", ())) - old.get("properties", {}).keys())


def _takes_more(told: Told) -> bool:
    """Whether the new pattern matches whatever the old one did, as far as that can be told.

    It can for an old one that repeats one class of ASCII characters, and a new one of classes only, where no character
    matters to another.
    """
    old, new = told["base"].get("value", ""), told["revision"].get("value", "")
    one = _ONE_CLASS.fullmatch(old)
    if one is None or not _CLASSES.fullmatch(new):
        return False
    return all(re.search(new, each * int(one[2])) for each in _ASCII if re.match(one[1], each))


def _takes(alternative: Node, words: set[str]) -> bool:
    """Whether an alternative is an open string that matches all the words."""
    pattern = alternative.get("pattern", "")
    is_open = alternative.get("type") == "string" and not alternative.keys() & {"enum", "const"}
    return is_open and all(re.search(pattern, word) for word in words)


def _union(document: Document, pointer: str) -> list[Node]:
    try:
        return [document.resolved(one) for one in document.resolved({"$ref": pointer}).get("anyOf", [])]
    except ValueError:
        return []


def _values(told: Told, side: str) -> set[str]:
    """The values of an enum on one side of the change, if both sides are enums."""
    sides = [told.get("base", {}), told.get("revision", {})]
    is_about_values = told.get("property") == "enum" and all("value" in one for one in sides)
    return set(told[side]["value"]) if is_about_values else set()


def _name(path: str) -> str:
    """The name of the field, whose type may be a union."""
    return re.sub("/anyOf/[0-9]+$", "", path).rpartition("/")[2]
