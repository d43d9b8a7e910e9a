"""A bot's text is clean after normalisation, however it was split into deltas."""

import re
import sys
import unicodedata
from pathlib import Path

import pytest
import regex
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.text import Normaliser
from app.chat.white_space import WHITE_SPACE
from tests.support.growth import assert_linear
from tests.support.texts import foul_texts, is_white_space, normalised, pieces

_CONTRACT = Path(__file__).parent.parent.parent / "openapi.yaml"


def _clean(*deltas: str) -> str:
    normaliser = Normaliser()
    return "".join([normaliser.feed(delta) for delta in deltas]) + normaliser.flush()


@pytest.mark.parametrize(
    ("foul", "clean"),
    [
        ("a\r\nb\rc\nd\r\r\n\ne", "a\nb\nc\nd\n\n\ne"),
        ("a\0b\0", "ab"),
        ("\r\0\n.", "."),
        ("a\r\0\nb", "a\nb"),
        ("a\r", "a\n"),
        ("\ufeff \u3000\r\n\t a ", "a "),
        ("a\ud800b\udc00", "a\ufffdb\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ud83d\0\ude00", "\U0001f600"),
        ("a\ud83d", "a\ufffd"),
        ("\ud800\ud83d\ude00", "\ufffd\U0001f600"),
        (" \r\n\0 ", ""),
        ("", ""),
        ("\x01\x1b[31m\x7f", "\x01\x1b[31m\x7f"),
    ],
)
def test_the_rules_of_the_design_by_example(foul: str, clean: str) -> None:
    """Line endings, NUL, surrogates and leading white space; everything else is unchanged."""
    assert _clean(foul) == clean
    assert _clean(*foul) == clean


@settings(settings.get_profile("laws"))
@given(foul_texts.flatmap(lambda text: st.tuples(st.just(text), pieces(text))))
def test_any_text_is_normalised_as_the_design_says_however_it_is_cut(case: tuple[str, list[str]]) -> None:
    """The oracle works character by character."""
    text, deltas = case
    assert _clean(*deltas) == _clean(text) == normalised(text)


@given(foul_texts)
def test_clean_text_stays_as_it_is(text: str) -> None:
    """Normalisation is idempotent."""
    assert _clean(_clean(text)) == _clean(text)


def test_white_space_is_all_that_unicode_python_and_javascript_trim() -> None:
    """Nothing that some client trims may start a word; a letter that none trims may."""
    every = [chr(n) for n in range(sys.maxunicode + 1)]
    assert set(WHITE_SPACE) == {character for character in every if is_white_space(character)}
    assert set(WHITE_SPACE) >= set(regex.findall(r"\p{White_Space}", "".join(every)))
    assert not [character for character in WHITE_SPACE if unicodedata.category(character)[0] in "LMNPS"]


def test_the_contract_spells_out_the_same_white_space() -> None:
    """In the patterns of words and messages, in the dialect common to all regular expression engines."""
    schemas = yaml.safe_load(_CONTRACT.read_text("utf-8"))["components"]["schemas"]
    word = re.compile(schemas["WordEvent"]["properties"]["data"]["pattern"])
    message = re.compile(schemas["ChatRequest"]["properties"]["user_message"]["pattern"])
    for character in map(chr, range(0x10000)):
        assert bool(word.search(character + "a")) is (character not in WHITE_SPACE + "\0"), repr(character)
        assert bool(message.search(character)) is (character not in WHITE_SPACE + "\0"), repr(character)


@pytest.mark.parametrize("character", [" ", "\r", "\0", "\ud800", "a", "\u3000"])
def test_normalising_is_linear_however_small_the_deltas_are(character: str) -> None:
    """What is held until the next delta must not be scanned repeatedly."""
    assert_linear(lambda size: _clean(*character * size), 2_000)
