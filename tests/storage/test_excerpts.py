"""What a search shows of where its words are: one behaviour, whatever the database."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.excerpts import EXCERPT_LENGTH, excerpt_of
from app.chat.places import count_of, places_of
from app.chat.terms import query_of, terms_of
from tests.support.addresses import CHAT, conversation_at
from tests.support.asgi import Client
from tests.support.talk import Echo, got, replied, service

_LONGEST_MESSAGE = 16_000


async def _shown(client: Client, words: str) -> list[tuple[str, list[str]] | None]:
    """The excerpt of each conversation that is found, and the parts of it that match."""
    page = await got(client, f"/api/conversations?search={quote(words)}")
    return [_read(conversation.get("excerpt")) for conversation in page["conversations"]]


def _read(excerpt: dict[str, Any] | None) -> tuple[str, list[str]] | None:
    if excerpt is None:
        return None
    text = excerpt["text"]
    return text, [text[match["start"] : match["end"]] for match in excerpt["matches"]]


@pytest.mark.parametrize(
    ("said", "words", "matches"),
    [
        ("Tell me about CATS, please", "tell cat", ["Tell", "CAT"]),
        ("Größe GRÖSSE grob", "gross", ["Größ", "GRÖSS"]),
        ("Il a e\u0301te\u0301 la\u0300", "ete la", ["e\u0301te\u0301", "la\u0300"]),
        ("今日は天気がいいです", "天気", ["天気"]),
        ("今日は天気がいいです", "今日は", ["今日は"]),
        ("GPT今日5", "今", ["今"]),
        ("مرحبا بالعالم", "بالع", ["بالع"]),
        ("25 ㎏ of bats and ats", "kg ats", ["㎏", "ats"]),
    ],
)
async def test_the_words_are_shown_where_they_are(said: str, words: str, matches: list[str], database_url: str) -> None:
    """As they were written: without regard to case and accents, from their beginnings."""
    async with service(database_url, Echo()) as (client, _):
        await replied(client, said)
        assert await _shown(client, words) == [(said, matches)]


async def test_the_message_with_most_of_the_words_is_shown(database_url: str) -> None:
    """The latest one of those; also if it is on a branch that was left."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "a cat and a dog")
        await replied(client, "a dog, and then a cat", first.conversation_id)
        last = await replied(client, "only a cat", first.conversation_id)
        assert await _shown(client, "cat dog") == [("a dog, and then a cat", ["dog", "cat"])]
        assert await _shown(client, "cat") == [("only a cat", ["cat"])]
        body = {"edits": last.reply_id, "user_message": "only a bird"}
        assert (await client.request("POST", CHAT, json=body)).status == 200
        assert await _shown(client, "on cat") == [("only a cat", ["on", "cat"])]
        assert await _shown(client, "dog bird") == [("only a bird", ["bird"])]


async def test_what_is_only_in_the_title_has_no_excerpt(database_url: str) -> None:
    """Nor have conversations in a list that is not searched."""
    async with service(database_url, Echo()) as (client, _):
        said = await replied(client, "something else")
        renamed = await client.request("PATCH", conversation_at(said.conversation_id), json={"title": "About cats"})
        assert "excerpt" not in renamed.json()
        assert await _shown(client, "cats") == [None]
        assert await _shown(client, "cats else") == [("something else", ["else"])]
        assert "excerpt" not in (await got(client, "/api/conversations"))["conversations"][0]


async def test_a_long_message_is_cut_around_the_words(database_url: str) -> None:
    """Between words, on one line, and without Markdown's marks."""
    async with service(database_url, Echo()) as (client, _):
        await replied(
            client, "word " * 2_000 + "\n\n# The **needle**\n\n- is [here](https://example.org)\n" + "end " * 900
        )
        [shown] = await _shown(client, "needle here")
        assert shown is not None
        text, matches = shown
        assert len(text) <= EXCERPT_LENGTH
        assert text.startswith("…word word ")
        assert " The needle is here end end " in text
        assert text.endswith(" end…")
        assert matches == ["needle", "here"]


async def test_only_so_much_is_read(database_url: str) -> None:
    """What is further back is found all the same."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "needle")
        for _ in range(2):
            await replied(client, "word " * (_LONGEST_MESSAGE // 5), first.conversation_id)
        assert await _shown(client, "needle") == [("needle", ["needle"])]
        for _ in range(2):
            await replied(client, "word " * (_LONGEST_MESSAGE // 5), first.conversation_id)
        assert await _shown(client, "needle") == [None]


async def test_each_conversation_of_a_page_has_its_own(database_url: str) -> None:
    """Also if many messages are read for some of them."""
    async with service(database_url, Echo()) as (client, _):
        for number in range(3):
            said = await replied(client, f"needle number {number}")
            for _ in range(12 * number):
                await replied(client, "more", said.conversation_id)
        expected = [(f"needle number {number}", ["needle"]) for number in (2, 1, 0)]
        assert await _shown(client, "needle") == expected


_SPOKEN = st.text(st.sampled_from("aAbéÉeßsßİiı1²_-'\"* 今日はกาก्षि🏳️‍🌈ﬁ@\u0301"), max_size=12)
_LONG = st.lists(
    st.sampled_from(["a word", "Größe", "今日は" * 30, "🏳️‍🌈" * 50, "x" * 300, "\n- *", "é " * 40]), max_size=30
)


@given(st.lists(_SPOKEN, max_size=4).map(" ".join), _SPOKEN)
def test_places_are_where_terms_are(text: str, words: str) -> None:
    """What a search finds has a place in the text, and nothing else has."""
    wanted = query_of(words)
    terms = terms_of([text]).split()
    expected = {index for index, word in enumerate(wanted) if any(term.startswith(word) for term in terms)}
    assert count_of(text, wanted) == len(expected)
    places = places_of(text, wanted, 100)
    assert {place.wanted for place in places} == expected
    for place in places:
        found = terms_of([text[place.start : place.end]]).split()
        assert any(term.startswith(wanted[place.wanted]) for term in found)


@given(_LONG.map(" ".join), st.sampled_from(["needle", "針", "néédle"]), _LONG.map(" ".join))
def test_an_excerpt_shows_the_words_in_any_text(before: str, word: str, after: str) -> None:
    """It is short and on one line, and its matches are in order."""
    wanted = query_of(word)
    excerpt = excerpt_of(f"{before} {word} {after}", wanted)
    assert excerpt is not None
    assert len(excerpt.text) <= EXCERPT_LENGTH
    assert excerpt.text.split() == excerpt.text.split(" ")
    assert [excerpt.text[start:end] for start, end in excerpt.matches] == [word]
