"""The content of a request to an engine, and its variants for engines that refuse some fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.bots.dialects import Meaning
from app.chat.model import AS_CONFIGURED, Conversation, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine's address, and how to send requests to it."""

    base_url: str
    """Without `/chat/completions`; ends in `/v1` for most engines."""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """`None` uses the first one that the engine lists."""
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Added to each request; `None` removes a field."""
    context_tokens: int | None = None
    """The model's context size; `None` relies on what the engine reports."""
    proxy: str | None = field(default=None, repr=False)
    """What requests go through. There may be a password in it."""
    connect_seconds: float = 5
    queue_seconds: float = 1.5
    """How long a reply may wait in the queue."""
    first_byte_seconds: float = 300
    first_token_seconds: float = 300
    between_bytes_seconds: float = 60
    look_seconds: float = 5
    """How often the bot yields a sign of life while it waits."""
    connections: int = 2_000
    """How many replies may be generated at once."""

    def asked(self, conversation: Conversation) -> "Engine":
        """With what the conversation's own request asks: it adds instructions, and may lower the limit on tokens."""
        sampling = conversation.sampling
        if conversation.instructions is None and sampling == AS_CONFIGURED:
            return self
        temperature = self.temperature if sampling.temperature is None else sampling.temperature
        return replace(
            self,
            system_prompt="\n\n".join(filter(None, (self.system_prompt, conversation.instructions))) or None,
            temperature=temperature,
            max_tokens=min(filter(None, (self.max_tokens, sampling.max_tokens)), default=None),
            stop=sampling.stop,
        )


@dataclass(frozen=True, slots=True)
class Manner:
    """The optional fields that a model accepts. What it has refused once is not sent again."""

    tokens_field: str | None = "max_tokens"
    has_temperature: bool = True
    has_stream_options: bool = True
    has_system_role: bool = True
    has_stop: bool = True

    def without(self, refused: Meaning | None) -> "Manner":
        """The manner without what was refused; unchanged if there is no alternative."""
        match refused:
            case Meaning.NO_MAX_TOKENS:
                other = "max_completion_tokens" if self.tokens_field == "max_tokens" else None
                return replace(self, tokens_field=other)
            case Meaning.TOO_MANY_TOKENS:
                return replace(self, tokens_field=None)
            case _:
                return replace(
                    self,
                    has_temperature=self.has_temperature and refused is not Meaning.NO_TEMPERATURE,
                    has_stream_options=self.has_stream_options and refused is not Meaning.NO_STREAM_OPTIONS,
                    has_system_role=self.has_system_role and refused is not Meaning.NO_SYSTEM_ROLE,
                    has_stop=self.has_stop and refused is not Meaning.NO_STOP,
                )


def body(engine: Engine, manner: Manner, model: str, messages: Sequence[Message]) -> dict[str, Any]:
    """The JSON body of a request."""
    fields: dict[str, Any] = {
        "model": model,
        "messages": _messages(engine.system_prompt, messages, has_system_role=manner.has_system_role),
        "stream": True,
    }
    if manner.has_stream_options:
        fields["stream_options"] = {"include_usage": True}
    if manner.has_temperature:
        fields["temperature"] = engine.temperature
    if manner.has_stop and engine.stop:
        fields["stop"] = list(engine.stop)
    if manner.tokens_field:
        fields[manner.tokens_field] = engine.max_tokens
    return {name: value for name, value in (fields | dict(engine.extra_body)).items() if value is not None}


def _messages(prompt: str | None, messages: Sequence[Message], *, has_system_role: bool) -> list[dict[str, str]]:
    told = [{"role": message.role, "content": message.text} for message in messages]
    if prompt and has_system_role:
        return [{"role": "system", "content": prompt}, *told]
    if prompt and told:
        told[0]["content"] = f"{prompt}\n\n{told[0]['content']}"
    return told
