"""What the service says of itself, and that it keeps to it: names, suggestions and limits are settings."""

import json

import pytest

from app.bots.greeter import SUGGESTIONS
from app.main import create_app
from tests.support.addresses import BOTH
from tests.support.asgi import Client
from tests.support.settings import Settings
from tests.support.talk import got, problem


async def test_the_greeter_is_introduced_and_nobody_else_is_taken_for_it() -> None:
    """Only it has suggestions without a setting."""
    async with Client(create_app(Settings())) as client:
        told = await got(client, "/api/service")
        assert (told["name"], told["bot"], told["suggestions"]) == ("Chat", "greeter", list(SUGGESTIONS))
        assert "model" not in told
    for named in ({}, {"name": "Helpdesk", "suggestions": ["a, b", "c"], "openai_model": "some/model"}):
        own = {"bot": "openai", "openai_base_url": "http://127.0.0.1:1/v1", **named}
        async with Client(create_app(Settings.model_validate(own))) as client:
            told = await got(client, "/api/service")
            assert (told["bot"], told["name"]) == ("openai", named.get("name", "Chat"))
            assert (told["suggestions"], told.get("model")) == (named.get("suggestions", []), named.get("openai_model"))


@pytest.mark.parametrize("longest", [3, 16_000, 20_000])
async def test_the_longest_message_is_a_setting(longest: int) -> None:
    """The service accepts it and no longer one, and each document that it serves says the same."""
    async with Client(create_app(Settings(bot="simulator", max_message_characters=longest))) as client:
        assert (await got(client, "/api/service"))["limits"]["message_characters"] == longest
        for path in BOTH:
            assert (await client.request("POST", path, json={"user_message": "é" * longest})).status == 200
            answer = await client.request("POST", path, json={"user_message": "é" * (longest + 1)})
            assert problem(answer) == (422, "invalid-body")
            assert answer.json()["errors"][0]["pointer"] == "/user_message"
            for wrong in ({"user_message": " "}, {"user_message": "a\0"}, {"user_message": None}, {}):
                assert problem(await client.request("POST", path, json=wrong)) == (422, "invalid-body")
        for path in ("/openapi.json", "/openapi-3.1.json"):
            document = await got(client, path)
            field = document["components"]["schemas"]["ChatRequest"]["properties"]["user_message"]
            assert field["maxLength"] == longest
            assert f"1 to {longest:,} characters" in field["description"]
        text = (await client.request("GET", "/openapi.yaml")).content.decode()
        assert f"maxLength: {longest}\n" in text
        assert json.dumps(longest) in text
