"""OpenAI's SDK for Python."""

from collections.abc import Iterator

import openai
from said import BASE_URL, MESSAGE, tell

client = openai.OpenAI(base_url=BASE_URL, api_key="any")
asked = {"model": "any", "messages": [{"role": "user", "content": MESSAGE}]}


def whole() -> str:
    return client.chat.completions.create(**asked).choices[0].message.content


def stream() -> Iterator[str]:
    with client.chat.completions.create(stream=True, **asked) as chunks:
        for chunk in chunks:
            yield chunk.choices[0].delta.content or ""


tell(whole, stream)
