"""A value without what editors, `.env` files, shells and secret stores leave around it."""

_BLANK = "\ufeff \t\r\n\v\f"
_QUOTES = "'\""
_JSON = {("{", "}"), ("[", "]")}


def cleaned(text: str) -> str:
    """Without white space and a byte order mark at both ends, and without one pair of quotes around it.

    Quotes that also occur inside stay, unless that is JSON: they belong to the value, as in `"a" or "b"`. Raises
    `ValueError` for text that is not valid UTF-8 or contains NUL.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = "it is not valid UTF-8"
        raise ValueError(msg) from None
    if "\0" in text:
        msg = "it contains a NUL character"
        raise ValueError(msg)
    text = text.strip(_BLANK)
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        inside = text[1:-1].strip(_BLANK)
        if text[0] not in inside or (inside[0], inside[-1]) in _JSON:
            return inside
    return text
