"""Difficult messages: random combinations of scripts and of everything in a text that breaks software.

Owns the contract's normalisation of a bot's text (`normalised`), and which messages are safe to send to an unknown bot.
"""

import random

LONGEST_MESSAGE = 2_000
"""In characters. Far shorter than the contract allows, because reading it costs models money."""

_FRAGMENTS = (
    "Hi there! ",
    "one  two\n\n    indented\tcode\n",
    "\r\n",
    "\r",
    "\u2028",  # line and paragraph separators, and others that splitlines() splits at
    "\u2029",
    "\x85",
    "\x0b\x0c\x1c",
    "\u00a0\u3000\u202f",
    "\ufeff",
    "今日はいい天気ですね。",
    "コンピューターは「便利」です！",  # noqa: RUF001 - full-width punctuation is what it tests
    "(漢字)",
    "สวัสดีครับ",
    "안녕하세요 ",
    "\u1112\u1161\u11ab",  # one Hangul syllable made of three letters
    "नमस्ते दुनिया ",
    "مرحبا بالعالم ",
    "שלום עולם ",
    "\u202eright to left\u202c",
    "👩‍💻",
    "👨‍👩‍👧‍👦 ",
    "🇩🇪🇫🇷",
    "👍🏽",
    "❤️",
    "e\u0301",
    "a" + "\u0301\u0327" * 5,
    " \u0301",  # white space with a combining mark
    "\u200d",
    "\u0600\u0661",  # a sign that joins the digits after it
    "data: x\n\n",
    "event: done\ndata: {}\n\n",
    "id: 7\n",
    ": ping\n",
    "[DONE]",
    "null",
    '{"text":"\\"\\u0000"}',
    "\\r\\n",
    "http://example.org/?q=1&r=2#x",
    "x" * 120,
    "!" * 120,
    "\U0010ffff\ue000",
)
_ALPHABET = "ab! (「」日本アーッสำหรับन👩💻🇩🇫\u200d\u0301\ufe0f \n\t\r\u3000\u2028\u1100\u1161\u11a8각㊗ℹ"  # noqa: RUF001
_MOST_PARTS = 12


def messages(source: random.Random, count: int) -> list[str]:
    """Distinct texts, which depend only on the source."""
    found: list[str] = []
    while len(found) < count:
        text = _text(source)
        if is_safe(text) and text not in found:
            found.append(text)
    return found


def is_safe(text: str) -> bool:
    """Whether the contract accepts the message, and no bot could take it for a command."""
    return (
        not all(map(is_white_space, text))
        and len(text) <= LONGEST_MESSAGE
        and not text.lstrip().startswith("/")
        and "\0" not in text
    )


def normalised(text: str) -> str:
    """A bot's text before it is split into words: LF for all line endings, no leading white space."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    start = next((n for n, character in enumerate(text) if not is_white_space(character)), len(text))
    return text[start:]


def is_white_space(character: str) -> bool:
    """Whether Python's `strip()` or JavaScript's `trim()` removes it."""
    return character.isspace() or character == "\ufeff"


def _text(source: random.Random) -> str:
    parts = [_part(source) for _ in range(source.randint(1, _MOST_PARTS))]
    return "".join(parts)


def _part(source: random.Random) -> str:
    match source.randrange(4):
        case 0:
            return "".join(source.choices(_ALPHABET, k=source.randint(1, 8)))
        case 1:
            return "".join(_any_character(source) for _ in range(source.randint(1, 6)))
        case _:
            return source.choice(_FRAGMENTS)


def _any_character(source: random.Random) -> str:
    """Any character except NUL and surrogates."""
    code = source.choice((source.randint(1, 0x7F), source.randint(0x80, 0xD7FF), source.randint(0xE000, 0x10FFFF)))
    return chr(code)
