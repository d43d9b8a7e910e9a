"""Difficult texts: many scripts and everything in a text that breaks software, for Hypothesis to combine."""

import itertools

from hypothesis import strategies as st

_FRAGMENTS = [
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
    "コンピューターは「便利」です！",
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
    "\u0600١",  # a sign that joins the digits after it
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
]

_ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")

texts = st.one_of(
    st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.text(_ANY, max_size=6)), max_size=12).map("".join),
    st.text(_ANY, max_size=40),
    st.text(
        st.sampled_from(
            "ab! (「」日本アーッ\u0e2a\u0e31\u0e33\u094d\u0928\u200d👩💻🇩🇫\u0301\ufe0f"
            " \n\t\r\u3000\u2028\u1100\u1161\u11a8각㊗ℹ"
        )
    ),
)
"""Any text that a message may contain, including the empty one."""

foul_texts = st.one_of(
    texts,
    st.text(st.sampled_from("ab \r\n\0\ud83d\ude00\ud800\udc00\ufeff\u3000日")),
    st.lists(st.one_of(texts, st.sampled_from(["\0", "\ud800", "\udfff", "\ud83d", "\ude00"])), max_size=4).map(
        "".join
    ),
)
"""What a bot may send in addition: NUL, and surrogates, alone or in pairs."""


def pieces(text: str) -> st.SearchStrategy[list[str]]:
    """All ways to split a text into deltas, including empty ones."""
    places = st.lists(st.integers(0, len(text)), max_size=8).map(lambda cuts: [0, *sorted(cuts), len(text)])
    somewhere = places.map(lambda places: [text[a:b] for a, b in itertools.pairwise(places)])
    return st.one_of(somewhere, st.just(list(text)))


def normalised(text: str) -> str:
    """An independent implementation of the contract's normalisation of a bot's text, character by character."""
    characters = [character for character in text if character != "\0"]
    clean: list[str] = []
    while characters:
        character = characters.pop(0)
        following = characters[0] if characters else ""
        if character == "\r":
            if following == "\n":
                characters.pop(0)
            character = "\n"
        elif "\ud800" <= character <= "\udbff" and "\udc00" <= following <= "\udfff":
            characters.pop(0)
            character = chr(0x10000 + (ord(character) - 0xD800) * 0x400 + (ord(following) - 0xDC00))
        elif "\ud800" <= character <= "\udfff":
            character = "\ufffd"
        if clean or not is_white_space(character):
            clean.append(character)
    return "".join(clean)


def is_white_space(character: str) -> bool:
    """Whether Python's `strip()` or JavaScript's `trim()` removes it."""
    return character.isspace() or character == "\ufeff"
