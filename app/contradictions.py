"""Settings that are good each by itself and do not work together. The service starts; its log says so."""

from collections.abc import Iterator

from app.environment.source import variable_name
from app.settings import Settings

_OPENAI_SECONDS = ("openai_first_byte_seconds", "openai_first_token_seconds", "openai_between_bytes_seconds")
_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


def contradictions(settings: Settings) -> Iterator[str]:
    """A sentence for each, with the names of the settings and what to do."""
    if settings.heartbeat_seconds >= settings.keep_alive_seconds:
        yield (
            "CHAT_HEARTBEAT_SECONDS is not shorter than CHAT_KEEP_ALIVE_SECONDS, but proxies' idle timeouts should be "
            "between them. Next: lower CHAT_HEARTBEAT_SECONDS"
        )
    if settings.bot_silence_seconds > settings.reply_seconds:
        yield _without_effect("bot_silence_seconds", "reply_seconds")
    if settings.streams_per_client > settings.max_open_streams:
        yield (
            "CHAT_STREAMS_PER_CLIENT is more than CHAT_MAX_OPEN_STREAMS, which all clients have together. "
            "Next: lower CHAT_STREAMS_PER_CLIENT"
        )
    yield from _of_servers(settings)
    yield from _of_metrics(settings)
    yield from _of_messages(settings)
    if settings.bot == "openai":
        yield from _of_the_engine(settings)
    elif set_for_it := sorted(name for name in settings.model_fields_set if name.startswith("openai_")):
        yield f"{variable_name(set_for_it[0])} has no effect, because CHAT_BOT is {settings.bot}. Next: CHAT_BOT=openai"
    if settings.bot == "local":
        if settings.max_tokens is not None and settings.max_tokens > settings.local_context_tokens // 2:
            yield (
                "CHAT_MAX_TOKENS is more than half of CHAT_LOCAL_CONTEXT_TOKENS, and is lowered to that. "
                "Next: raise CHAT_LOCAL_CONTEXT_TOKENS"
            )
    elif set_for_it := sorted(name for name in settings.model_fields_set if name.startswith("local_")):
        yield f"{variable_name(set_for_it[0])} has no effect, because CHAT_BOT is {settings.bot}. Next: CHAT_BOT=local"


def _of_metrics(settings: Settings) -> Iterator[str]:
    if not settings.metrics:
        if set_for_it := sorted(name for name in settings.model_fields_set if name.startswith("metrics_")):
            yield f"{variable_name(set_for_it[0])} has no effect, because CHAT_METRICS is off. Next: CHAT_METRICS=on"
    elif settings.metrics_port is None and "metrics_host" in settings.model_fields_set:
        yield "CHAT_METRICS_HOST has no effect without CHAT_METRICS_PORT. Next: set that as well"


def _of_messages(settings: Settings) -> Iterator[str]:
    if settings.max_message_characters > settings.max_body_bytes:
        yield (
            "CHAT_MAX_MESSAGE_CHARACTERS is more than CHAT_MAX_BODY_BYTES, so that long messages get 413. "
            "Next: raise CHAT_MAX_BODY_BYTES to four times as many"
        )


def _of_servers(settings: Settings) -> Iterator[str]:
    url = settings.jwt_keys_url
    if url is not None and url.scheme == "http" and url.host not in _LOOPBACK:
        yield "CHAT_JWT_KEYS_URL is not https: whoever is on the way can make tokens. Next: use https"
    if settings.valkey_url is not None and settings.database_url.startswith("sqlite"):
        yield (
            "CHAT_VALKEY_URL has no effect, because SQLite has one instance. "
            "Next: remove it, or let CHAT_DATABASE_URL name a PostgreSQL database"
        )


def _of_the_engine(settings: Settings) -> Iterator[str]:
    for name in _OPENAI_SECONDS:
        if getattr(settings, name) > settings.reply_seconds:
            yield _without_effect(name, "reply_seconds")
    if settings.openai_queue_seconds is not None and settings.openai_queue_seconds >= settings.first_word_seconds:
        yield (
            "CHAT_OPENAI_QUEUE_SECONDS is not shorter than CHAT_FIRST_WORD_SECONDS, so that clients that wait in vain "
            "get 200 and then a failure. Next: lower it, or raise CHAT_FIRST_WORD_SECONDS"
        )


def _without_effect(name: str, bound: str) -> str:
    bound = variable_name(bound)
    return f"{variable_name(name)} is longer than {bound}, which ends a reply before that. Next: raise {bound}"
