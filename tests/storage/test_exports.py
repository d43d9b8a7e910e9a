"""What owners take away with them, and what they think of replies."""

import asyncio
import json

import pytest
from markdown_it import MarkdownIt

from app.operators import conversations
from tests.storage.conftest import Run
from tests.support.addresses import conversation_at, reply_at
from tests.support.databases import fresh_database_url
from tests.support.talk import Echo, got, messages, replied, service

COMMAND = conversations.main
_RATINGS: list[dict[str, str]] = [{"rating": "up"}, {"rating": "down", "note": "über\nlong"}]


async def test_a_conversation_is_exported_with_all_its_branches(database_url: str) -> None:
    """As JSON; what is read by people is the chosen branch. However long it is."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
        at = conversation_at(first.conversation_id)
        body = {"user_message": "1", "edits": first.reply_id}
        assert (await client.request("POST", "/api/replies", json=body)).status == 200
        assert (await client.request("POST", "/api/replies", json={"regenerates": first.reply_id})).status == 200
        exported = await got(client, f"{at}/export")
        told = [(each["number"], each.get("follows"), each["is_chosen"]) for each in exported["messages"]]
        assert told == [
            (0, None, True),
            (1, 0, False),
            (2, None, False),
            (3, 2, False),
            (5, 0, True),
        ]
        said = await messages(client, first.conversation_id)
        assert [each["message"] for each in exported["messages"] if each["is_chosen"]] == said
        conversation = await got(client, at)
        assert {name: conversation[name] for name in exported if name != "messages"} == {
            name: exported[name] for name in exported if name != "messages"
        }
        markdown = await client.request("GET", f"{at}/markdown")
        assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
        parts = markdown.content.decode().split("\n\n")
        assert [part for part in parts if not part.startswith("##")] == ["# one", "one", "one\n"]
        for n in range(60):
            await replied(client, f"more {n}", first.conversation_id)
        exported = await got(client, f"{at}/export")
        assert len(exported["messages"]) == 125
        assert exported["messages"][-1]["message"]["text"] == "more 59"
        markdown = await client.request("GET", f"{at}/markdown")
        assert markdown.content.decode().count("\n## ") == 122


@pytest.mark.parametrize(
    "text",
    [
        "Here:\n\n```python\nprint(1)",
        "~~~~ text\n~~~\n```",
        "```\nclosed\n```",
        "- one\n  ```\n  in a list",
        "``` no `fence",
        "```\n``` not closed",
        "   ```\n    ```\n   ````",
    ],
)
async def test_no_message_takes_the_next_one_into_its_code(text: str) -> None:
    """A reply that was cut, or cancelled, often ends within a block of code."""
    async with service(fresh_database_url(), Echo()) as (client, _):
        first = await replied(client, text)
        await replied(client, "more", first.conversation_id)
        markdown = await client.request("GET", f"{conversation_at(first.conversation_id)}/markdown")
    tokens = MarkdownIt().parse(markdown.content.decode())
    assert [token.tag for token in tokens if token.type == "heading_open" and token.level == 0][1:] == ["h2"] * 4


async def test_a_reply_is_rated(database_url: str, run: Run) -> None:
    """Its owner sees the last rating with the reply; operators get all of them, with what was said."""
    async with service(database_url, Echo()) as (client, _):
        first = await replied(client, "one")
        again = await client.request("POST", "/api/replies", json={"regenerates": first.reply_id})
        second = await replied(client, "two", first.conversation_id)
        rated = [first.reply_id, again.json()["reply_id"], second.reply_id]
        for reply_id in rated:
            for rating in _RATINGS:
                answer = await client.request("PUT", f"{reply_at(reply_id)}/feedback", json=rating)
                assert (answer.status, answer.content) == (204, b"")
        said = await messages(client, first.conversation_id)
        assert [each.get("feedback") for each in said] == [None, _RATINGS[1], None, _RATINGS[1]]
        withdrawn = await client.request("DELETE", f"{reply_at(second.reply_id)}/feedback")
        assert withdrawn.status == 204
        assert "feedback" not in (await messages(client, first.conversation_id))[-1]
        status, out, _ = await asyncio.to_thread(run, database_url, "feedback")
        lines = [json.loads(line) for line in out.splitlines()]
        assert (status, [line["reply_id"] for line in lines]) == (0, sorted(rated[:2]))
        assert {(line["user_message"], line["reply"], line["rating"], line["note"]) for line in lines} == {
            ("one", "one", "down", "über\nlong")
        }
        await client.request("DELETE", conversation_at(first.conversation_id))
        assert (await asyncio.to_thread(run, database_url, "feedback"))[:2] == (0, "")
