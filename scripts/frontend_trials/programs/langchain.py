"""LangChain's class for OpenAI's API."""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).parent]  # not this file
from langchain_openai import ChatOpenAI  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from said import BASE_URL, MESSAGE, tell  # noqa: E402

model = ChatOpenAI(base_url=BASE_URL, api_key="any", model="any")


def whole() -> str:
    return model.invoke(MESSAGE).content


def stream() -> Iterator[str]:
    for chunk in model.stream(MESSAGE):
        yield chunk.content


tell(whole, stream)
