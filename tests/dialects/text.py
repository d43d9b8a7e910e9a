"""The text law of other protocols: for any text in deltas of any size, theirs is that of our own stream."""

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.addresses import CHAT, asked
from tests.support.asgi import Client
from tests.support.texts import normalised, texts


def of_any_text(law: Callable[..., Any]) -> Callable[..., Any]:
    """Call it with a `text`, and the `chunk` that is a delta's length."""
    for text, chunk in (("\u2028\u2029\x85", 2), ("[DONE]\n\ndata: x", 1)):
        law = example(text=text, chunk=chunk)(law)
    return settings(settings.get_profile("laws"))(given(text=texts, chunk=st.integers(1, 30))(law))


async def said_by_us(client: Client, text: str, chunk: int) -> tuple[str, str]:
    """The message that the simulator answers with a text in such deltas, and its text in our own stream, checked."""
    message = f"/simulate chunk={chunk}\n{text}"
    ours = (await client.request("POST", CHAT, json=asked(message))).transcript().text
    assert ours == normalised(text)
    return message, ours
