"""Words are what a reader would call words, and their boundaries depend only on the text."""

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.chat.white_space import WHITE_SPACE
from app.chat.words import MAX_WORD_CODE_POINTS, MAX_WORD_GRAPHEMES, WordSplitter
from tests.support.growth import assert_linear
from tests.support.texts import normalised, pieces, texts

_ACUTE = "\u0301"
_CLEAN = texts.map(normalised)


def _words(*deltas: str) -> list[str]:
    splitter = WordSplitter()
    words = [word for delta in deltas for word in splitter.feed(delta)]
    return words + splitter.flush()


@pytest.mark.parametrize(
    "words",
    [
        ["Hi ", "there! ", "How ", "can ", "I ", "help ", "you ", "today?"],
        ["a\n\n    ", "b\t\u2028", "c\u00a0", "d \n"],
        ["don't ", "e\u0301te\u0301 ", "naïve\u3000", "3.14 ", "(x) ", "http://a.b/c?d=e"],
        ["今", "日", "は", "い", "い", "天", "気", "で", "す", "ね。"],
        ["コンピューター", "は", "「便", "利」", "で", "す！ ", "abc", "日", "本", "(中)", "def"],
        ["らー", "め", "ん"],
        ["안녕하세요 ", "세계"],
        ["مرحبا ", "بالعالم"],
        ["שלום ", "עולם"],
        ["नमस्ते ", "दुनिया"],
        ["👩‍💻👨‍👩‍👧‍👦 ", "🇩🇪🇫🇷 ", "👍🏽 ", "ok"],
        ["a  \u0301b ", "c"],  # the second space has an accent: no word may start with it
        ["x"],
        [],
    ],
    ids="".join,
)
def test_words_by_example(words: list[str]) -> None:
    """In one delta, and with one character per delta."""
    text = "".join(words)
    assert _words(text) == words
    assert _words(*text) == words


def test_a_word_is_there_as_soon_as_the_next_one_begins() -> None:
    """Not before, because white space may follow; and not later, because somebody is waiting for it."""
    splitter = WordSplitter()
    assert splitter.feed("Hi") == []
    assert splitter.feed(" ") == []
    assert splitter.feed("\n") == []
    assert splitter.feed("there") == ["Hi \n"]
    assert splitter.feed("! How are you") == ["there! ", "How ", "are "]
    assert splitter.flush() == ["you"]
    assert splitter.flush() == []


@settings(settings.get_profile("laws"))
@given(_CLEAN.flatmap(lambda text: st.tuples(st.just(text), pieces(text))))
@example(("न" + "\u094d" + "日", ["न", "\u094d", "日"]))
@example(("a " + _ACUTE + " " + _ACUTE + "b", ["a ", _ACUTE, " ", _ACUTE + "b"]))
def test_the_words_are_the_same_however_the_text_is_cut_into_deltas(case: tuple[str, list[str]]) -> None:
    """A model's tokens may end anywhere, even inside an emoji."""
    text, deltas = case
    assert _words(*deltas) == _words(text)


@settings(settings.get_profile("laws"))
@given(_CLEAN)
def test_words_give_the_text_and_none_is_empty_or_starts_with_white_space_or_inside_a_grapheme(text: str) -> None:
    """Trimming loses nothing at the start; printing never prints half a character."""
    words = _words(text)
    assert "".join(words) == text
    boundaries = {match.start() for match in regex.finditer(r"\X", text)}
    start = 0
    for word in words:
        assert word
        assert word[0] not in WHITE_SPACE
        assert start in boundaries, f"{word!r} of {words} starts inside a grapheme"
        start += len(word)


# From all blocks that the short cut covers, and some neighbours that it must not take.
_PLAIN = "".join(map(chr, [*range(1, 0x590), *range(0x5D0, 0x5F5), *range(0x1E00, 0x2C00), 0x3000, 0xAC00, 0xD7A3]))
_PLAIN_EMOJI = "".join(map(chr, range(0x1F300, 0x1FB00)))


@settings(settings.get_profile("laws"))
@given(st.text(st.sampled_from(_PLAIN + _PLAIN_EMOJI + "ab \n" * 1_000), max_size=60).map(normalised))
@example("x" * 250 + " y")
@example("x" * 100 + " " + "y" * 101)
def test_the_short_cut_for_plain_text_cuts_as_the_general_way_does(text: str) -> None:
    """One ideograph after a line break in the same delta makes all of it take the general way."""
    line = normalised(text + ".\n")
    assert [*_words(line), "日"] == _words(line + "日")


def test_the_short_cut_takes_no_character_that_is_a_word_of_its_own() -> None:
    """Each of them between two letters, and before a mark."""
    for character in _PLAIN + _PLAIN_EMOJI:
        for text in (f"a{character}b.\n", f"a{character}{_ACUTE}.\n"):
            assert [*_words(*text), "日"] == _words(text + "日"), repr(text)


@pytest.mark.parametrize("letter", ["x", "!", "é", "e" + _ACUTE, "👩‍💻", "ก", "ー", "(", "。", "가"])
@pytest.mark.parametrize("count", [99, 100, 101, 250, 1000])
def test_a_long_run_is_let_go_in_parts(letter: str, count: int) -> None:
    """A reader sees the parts arrive, and no buffer grows with the run."""
    text = letter * count + " end"
    words = _words(text)
    assert "".join(words) == text
    assert _words(*text) == words
    longest = max(len(regex.findall(r"\X", word.rstrip(WHITE_SPACE))) for word in words)
    assert longest <= 2 * MAX_WORD_GRAPHEMES + 4  # punctuation that stays with its letter has a limit of its own


def test_a_plain_run_is_cut_at_exactly_the_bound() -> None:
    """100 graphemes, then the next part."""
    assert list(map(len, _words("x" * 250 + " y"))) == [100, 100, 51, 1]
    assert list(map(len, _words(("x" + _ACUTE) * 250))) == [200, 200, 100]


@pytest.mark.parametrize("marks", [MAX_WORD_CODE_POINTS - 2, MAX_WORD_CODE_POINTS - 1, MAX_WORD_CODE_POINTS, 10_000])
def test_thousands_of_marks_on_one_letter_are_cut_too(marks: int) -> None:
    """Unicode does not limit a grapheme, but a word is limited."""
    text = "a" + _ACUTE * marks + " b"
    words = _words(text)
    assert "".join(words) == text
    assert max(len(word.rstrip(WHITE_SPACE)) for word in words) <= MAX_WORD_CODE_POINTS
    assert len(words) == 1 + -(-(marks + 1) // MAX_WORD_CODE_POINTS)
    assert _words(*[text[n : n + 97] for n in range(0, len(text), 97)]) == words


def test_white_space_with_marks_on_it_is_bounded_as_well() -> None:
    """Each of these spaces has an accent, so no word may start there until the limit is reached."""
    text = "a" + (" " + _ACUTE) * 10_000 + " b"
    words = _words(text)
    assert "".join(words) == text
    assert all(word[0] not in WHITE_SPACE for word in words)
    assert max(map(len, words)) <= MAX_WORD_CODE_POINTS + 2
    assert _words(*[text[n : n + 97] for n in range(0, len(text), 97)]) == words


def test_any_amount_of_white_space_stays_with_its_word() -> None:
    """It is not limited: the next word must not start with it."""
    assert _words("a", *" " * 100_000, "b") == ["a" + " " * 100_000, "b"]


@pytest.mark.parametrize(
    ("delta", "size"),
    [(" ", 6_000), ("\n", 6_000), ("x", 2_000), ("x ", 1_000), ("日", 1_000), ("(", 500)],
    ids=["space", "line feed", "letter", "word", "ideograph", "bracket"],
)
def test_splitting_is_linear_however_small_the_deltas_are(delta: str, size: int) -> None:
    """Nearly 100,000 spaces, each its own delta, must not be scanned 100,000 times."""
    assert_linear(lambda size: _words("a", *[delta] * size, "b"), size)


@pytest.mark.parametrize(
    "delta", [_ACUTE * 64, (" " + _ACUTE) * 32, "👩‍" * 32], ids=["marks", "spaces with marks", "one endless emoji"]
)
def test_a_word_that_never_ends_costs_no_more_than_its_bound(delta: str) -> None:
    """Beyond the limit the parts are emitted, so twice the marks are twice the work."""
    assert_linear(lambda size: _words("a", *[delta] * size, "b"), MAX_WORD_CODE_POINTS // len(delta))
