"""What OpenAI's SDK for Python is asked to do, with the service or with a proxy in front of it."""

from collections.abc import Iterator

import openai
from said import MESSAGE, tell


def ask(client: openai.OpenAI) -> None:
    """Do what the trial asks."""
    asked = {"model": "chat", "messages": [{"role": "user", "content": MESSAGE}]}

    def whole() -> str:
        return client.chat.completions.create(**asked).choices[0].message.content

    def stream() -> Iterator[str]:
        with client.chat.completions.create(stream=True, **asked) as chunks:
            for chunk in chunks:
                yield chunk.choices[0].delta.content or ""

    tell(whole, stream)
