"""LlamaIndex' class for servers with OpenAI's API."""

from collections.abc import Iterator

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from said import BASE_URL, MESSAGE, tell

model = OpenAILike(api_base=BASE_URL, api_key="any", model="any", is_chat_model=True)
messages = [ChatMessage(role="user", content=MESSAGE)]


def whole() -> str:
    return model.chat(messages).message.content


def stream() -> Iterator[str]:
    for chunk in model.stream_chat(messages):
        yield chunk.delta or ""


tell(whole, stream)
