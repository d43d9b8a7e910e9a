"""What is wrong with a body is told with its place in what was sent, in the words of each protocol."""

from tests.support.agui import AG_UI, agui_asked, users
from tests.support.asgi import Client
from tests.support.talk import problem


async def test_a_run_is_told_where_its_body_is_wrong(client: Client) -> None:
    """As JSON Pointers: the branches of the contract's unions are no part of them."""
    answer = await client.request("POST", AG_UI, json=agui_asked(users("a\0b")))
    assert problem(answer) == (422, "invalid-body")
    no_nul = r"String should match pattern '^[^\u0000]*$'"
    assert answer.json()["errors"] == [{"pointer": "/messages/0/content", "detail": no_nul}]
    answer = await client.request("POST", AG_UI, json=agui_asked(users("hello"), threadId="a b"))
    ((pointer, detail),) = [each.values() for each in answer.json()["errors"]]
    assert pointer == "/threadId"
    assert detail.startswith(
        "Does not have the form that the contract describes: The id of a conversation, or its alias"
    )


async def test_a_client_of_openai_is_told_what_is_wrong_with_what_it_sent(client: Client) -> None:
    """Not what a value of another type would have to be."""
    body = {"messages": [{"role": "user", "content": "hello"}], "stop": ["a"] * 5}
    answer = await client.request("POST", "/v1/chat/completions", json=body)
    assert answer.status == 422
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("stop", "invalid-body")
    assert error["message"] == "stop: List should have at most 4 items after validation, not 5"
