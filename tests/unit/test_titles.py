"""Titles of conversations: one line, readable, never half a character."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from app.chat.titles import TITLE_LENGTH, title_of


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("hello", "hello"),
        ("  two\n lines\t here ", "two lines here"),
        ("# A heading\n\nand **more** of `it`", "A heading and more of it"),
        ("- one\n- two\n3. three\n> quoted", "one two three quoted"),
        ("see [the docs](https://example.org/a_b) and ![a picture](x.png)", "see the docs and a picture"),
        ("```python\nprint('hi')\n```\nWhat is this?", "print('hi') What is this?"),
        ("***both*** and ~~gone~~ and _lines_", "both and gone and lines"),
        ("snake_case_name and 2*3*4 = 24", "snake_case_name and 2*3*4 = 24"),
        ("a * b * c", "a * b * c"),
        ("# ", "#"),
        ("\n" * 300 + "hello", "hello"),
        (" \u3000" * 200 + "# hello", "hello"),
        ("---", "---"),
        ("C# and F#", "C# and F#"),
        ("a \u202eright\u202c to left", "a right to left"),
        ("x" * 100, "x" * 79 + "…"),
        ("word " * 30, "word " * 15 + "word…"),
        ("🏳️‍🌈" * 30, "🏳️‍🌈" * 19 + "…"),
        ("e\u0301" * 60, "e\u0301" * 39 + "…"),
    ],
)
def test_a_title_is_worth_reading(message: str, title: str) -> None:
    """Without marks, on one line, cut between words or at least between characters."""
    assert title_of(message) == title


@given(st.text(min_size=1) | st.text("a *_`#[]()\n-", min_size=1, max_size=400))
def test_whatever_the_message_a_title_is_short_and_whole(message: str) -> None:
    """It fits, has one line, and ends where a character ends."""
    title = title_of(message)
    assert len(title) <= TITLE_LENGTH
    assert title == " ".join(title.split())
    if title.endswith("…") and len(message) > TITLE_LENGTH:
        graphemes = regex.findall(r"\X", title.removesuffix("…"))
        assert graphemes == regex.findall(r"\X", title)[: len(graphemes)]
