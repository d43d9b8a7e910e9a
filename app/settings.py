"""Every setting of the service, with its default and its unit. Read from the environment, prefix `CHAT_`."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    ModelWrapValidatorHandler,
    SecretStr,
    field_validator,
    model_validator,
)

from app.environment import values
from app.environment.source import EnvironmentSettings, validated
from app.environment.variables import Variable, found

Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Level = Literal["debug", "info", "warning", "error"]
Style = Literal["auto", "json", "console"]

Listed = BeforeValidator(values.listed)
JsonObject = BeforeValidator(values.json_object)


def _any_case(words: Any) -> BeforeValidator:  # noqa: ANN401 - a `Literal` has no type of its own
    return BeforeValidator(values.one_of(*get_args(words)))


HeaderName = Annotated[str, AfterValidator(values.header_name)]

_DATABASE = re.compile(r"(sqlite(\+\w+)?:///|postgres(ql)?(\+\w+)?://).+", re.DOTALL | re.IGNORECASE)
"""What it says more exactly, storage knows."""


def _without_credentials(url: HttpUrl | None) -> HttpUrl | None:
    if url is not None and (url.username or url.password):
        msg = "put the key into CHAT_OPENAI_API_KEY, not into the address"
        raise ValueError(msg)
    return url


class Settings(EnvironmentSettings):
    """The defaults run. Raises `ValidationError`, for all that is wrong at once; its text repeats no value."""

    host: Annotated[str, AfterValidator(values.listen_address)] = Field(
        "127.0.0.1",
        description="Address to listen on. Set 0.0.0.0 in a container; the service then requires API keys, a "
        "token issuer or `CHAT_ALLOW_ANYONE`",
    )
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that serve on this machine, as several instances; more than one needs PostgreSQL",
    )
    bot: str = Field(
        "greeter",
        description="The bot that replies: `greeter`, `simulator`, `openai`, `local`, or the name of an installed bot",
    )
    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(
        "Chat", description="What people call the service; `getService` and the page show it"
    )
    suggestions: Annotated[list[str] | None, Listed] = Field(
        None,
        max_length=20,
        description="Messages to begin a conversation with, as a JSON list; unset, those of the bot `greeter`, and "
        "none of other bots",
    )
    bot_titles: bool = Field(
        default=False,
        description="Ask the bot for the title of each new conversation, when its first reply is complete; otherwise "
        "the title is the beginning of the message",
    )
    greeter_pace_ms: Milliseconds = Field(60, description="Pause of the greeter between two words, in milliseconds")
    system_prompt: str | None = Field(None, description="Instructions that a model receives before the conversation")
    temperature: float | None = Field(
        None, ge=0, le=2, description="Sampling temperature of a model, 0 to 2; unset, the model's own default"
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Limit on the tokens of one reply of a model; unset, the model's own limit"
    )
    openai_base_url: Annotated[HttpUrl | None, AfterValidator(_without_credentials)] = Field(
        None, description="Base URL of the engine that the bot `openai` talks to, such as `http://127.0.0.1:8080/v1`"
    )
    openai_api_key: SecretStr | None = Field(None, description="API key for the engine")
    openai_model: str | None = Field(
        None, description="Model to ask the engine for; unset, the first one that it lists"
    )
    openai_headers: Annotated[dict[HeaderName, SecretStr], JsonObject] = Field(
        {}, description="Additional request headers for the engine, as a JSON object"
    )
    openai_extra_body: Annotated[dict[str, Any], JsonObject] = Field(
        {}, description="Additional fields of each request to the engine, as a JSON object; `null` removes a field"
    )
    openai_connect_seconds: Seconds = Field(5, description="Time to connect to the engine")
    openai_queue_seconds: Seconds | None = Field(
        None,
        description="Time that a reply may wait for a free connection to the engine; unset, three quarters of "
        "`CHAT_FIRST_WORD_SECONDS`",
    )
    openai_first_byte_seconds: Seconds = Field(
        300, description="Time until the engine begins its answer; raise it for long queues or prompts"
    )
    openai_first_token_seconds: Seconds = Field(
        300,
        description="Time from the beginning of the engine's answer to its first token; raise it for models that "
        "think for long",
    )
    openai_between_bytes_seconds: Seconds = Field(60, description="Longest silence of the engine between two tokens")
    openai_max_connections: int | None = Field(
        None,
        ge=1,
        description="Replies that the engine generates at the same time; unset, as many as "
        "`CHAT_MAX_OPEN_STREAMS`. Further replies wait",
    )
    local_model_path: Path | None = Field(
        None, description="GGUF file that the bot `local` runs; unset, the small model that comes with it"
    )
    local_context_tokens: int = Field(
        4_096, ge=256, description="Context of the local model: tokens of history, message and reply together"
    )
    local_slots: int = Field(
        4, ge=1, le=64, description="Replies that the local model generates at the same time; further ones wait"
    )
    first_word_seconds: Seconds = Field(
        2, description="Longest wait of the status line for the first word; lower it if a proxy times out early"
    )
    heartbeat_seconds: Seconds = Field(
        15,
        description="Silence after which a stream gets a keep-alive comment; keep it below the idle timeout "
        "of every proxy",
    )
    drain_seconds: float = Field(
        20,
        ge=0,
        le=3600,
        description="Time that running replies get to finish after SIGTERM; let the orchestrator wait longer "
        "before it kills",
    )
    request_seconds: Seconds = Field(
        10, description="Time that a request's head, and then its body, may take to arrive"
    )
    join_seconds: float = Field(
        0.04,
        ge=0,
        le=0.05,
        description="Longest time that a word waits for the next ones, to be sent together, while the server has "
        "more to do than it can; 0 sends each at once",
    )
    stalled_seconds: Seconds = Field(
        30, description="Time after which a client that accepts no byte of its stream is disconnected"
    )
    keep_alive_seconds: int = Field(
        125,
        ge=1,
        le=86_400,
        description="Time that an idle connection stays open; keep it above the idle timeout of every proxy in front",
    )
    max_body_bytes: int = Field(262_144, ge=1, description="Largest request body in bytes; a larger one gets 413")
    max_message_characters: int = Field(
        16_000,
        ge=1,
        le=1_000_000,
        description="Longest message in characters; a longer one gets 422. The contract that is served says so",
    )
    max_open_streams: int = Field(
        2_000, ge=1, description="Replies that may be open at the same time, in the whole process; one more gets 503"
    )
    max_reply_characters: int = Field(
        200_000, ge=1, description="Longest reply in characters; a longer one ends with `length`"
    )
    bot_silence_seconds: Seconds = Field(60, description="Longest silence of any bot before its reply fails with 504")
    reply_seconds: Seconds = Field(600, description="Longest duration of a whole reply before it fails with 504")
    database_url: str = Field(
        "sqlite:///chat.db",
        description="Database for conversations: `sqlite:///FILE`, or `postgresql://USER@HOST/NAME` for "
        "several instances",
    )
    valkey_url: str | None = Field(
        None,
        description="Valkey or Redis server over which several instances share running replies and limits: "
        "`redis://HOST`, or `rediss://USER:PASSWORD@HOST:PORT` with TLS; PostgreSQL only",
    )
    valkey_prefix: str = Field(
        "chat:", min_length=1, description="What the names of all keys on that server begin with"
    )
    resume_window_seconds: float = Field(
        10,
        ge=0,
        le=3600,
        description="Time that a reply continues without a reader; 0 stops it at once. Raise it for mobile clients",
    )
    unread_seconds: float = Field(
        600,
        ge=0,
        le=86_400,
        description="Time that a reply continues without a reader if it was requested with `on_disconnect: continue`",
    )
    retention_seconds: float = Field(
        60,
        ge=0,
        le=86_400,
        description="Time that a finished reply stays in memory, where reading it again costs least; SQLite only",
    )
    save_every_seconds: Seconds = Field(
        2, description="Interval at which the progress of running replies is stored, for the case of a crash"
    )
    storage_seconds: Seconds = Field(
        5, description="Longest time that the database may take before a request fails with 503"
    )
    lease_seconds: float = Field(
        8,
        ge=1,
        le=3600,
        description="Time without a sign of life after which an instance counts as dead, and others end its replies; "
        "PostgreSQL only",
    )
    history_messages: int = Field(100, ge=0, description="Earlier messages of a conversation that a bot receives")
    history_characters: int = Field(
        100_000,
        ge=0,
        description="Limit on the characters of these messages together; lower it for models with a small context",
    )
    allow_anyone: bool = Field(
        default=False,
        description="Allow listening on a public address without API keys or a token issuer, for example "
        "behind a proxy that authenticates",
    )
    jwt_issuer: str | None = Field(
        None,
        min_length=1,
        description="Token issuer to trust: the `iss` of its JSON Web Tokens. Set all three `CHAT_JWT_...` together",
    )
    jwt_audience: str | None = Field(None, min_length=1, description="The `aud` that tokens of the issuer must have")
    jwt_keys_url: HttpUrl | None = Field(None, description="URL at which the issuer publishes its keys (JWKS)")
    jwt_algorithms: Annotated[list[Annotated[Algorithm, _any_case(Algorithm)]], Listed] = Field(
        ["RS256", "PS256", "ES256", "EdDSA"],
        min_length=1,
        description="Signature algorithms to accept, a list. `RS384`, `RS512`, `PS384`, `PS512`, `ES384` and `ES512` "
        "can be added",
    )
    requests_per_minute: int = Field(
        0,
        ge=0,
        description="Requests that a client may send per minute; 0 is no limit. A client is a principal or, "
        "without keys, an IP address",
    )
    streams_per_client: int = Field(
        0, ge=0, description="Streams that a client may have open at the same time; 0 is no limit"
    )
    words_per_day: int = Field(0, ge=0, description="Words that a client may receive per day; 0 is no limit")
    trusted_proxies: Annotated[list[Annotated[str, AfterValidator(values.proxy)]], Listed] = Field(
        [],
        description="IP addresses and networks of reverse proxies whose `X-Forwarded-...` headers are trusted, a list",
    )
    allowed_hosts: Annotated[list[Annotated[str, AfterValidator(values.host_name)]], Listed] = Field(
        [],
        description="Host names to serve, a list; `*.example.org` covers all subdomains. Unset: any "
        "host if credentials are required, else only names of this machine",
    )
    allowed_origins: Annotated[list[Annotated[str, AfterValidator(values.origin)]], Listed] = Field(
        [], description="Origins whose web pages may use the service (CORS), a list such as `https://example.org`"
    )
    metrics: bool = Field(default=True, description="Count and time what happens, for `GET /metrics`")
    metrics_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token that opens `GET /metrics`, and nothing else does then; unset, whoever may use the "
        "service may read them, if credentials are required or only this machine is served",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port of another listener, for `GET /metrics` alone and without a key; 0 takes a free one",
    )
    metrics_host: Annotated[str, AfterValidator(values.listen_address)] = Field(
        "127.0.0.1", description="Address of that listener. Whoever can connect to it may read the metrics"
    )
    traces: bool = Field(
        default=False,
        description="Send traces to an OpenTelemetry collector, which the variables `OTEL_...` name; needs "
        "`scripts/setup telemetry`",
    )
    log_level: Annotated[Level, _any_case(Level)] = Field(
        "info", description="Least severe level that is logged: `debug`, `info`, `warning` or `error`"
    )
    log_format: Annotated[Style, _any_case(Style)] = Field(
        "auto", description="`json`, `console` for people, or `auto`: console on a terminal, else JSON"
    )

    @field_validator("openai_headers")
    @classmethod
    def _fit_into_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return {name: SecretStr(values.header_value(name, value.get_secret_value())) for name, value in headers.items()}

    @field_validator("openai_api_key", "metrics_key")
    @classmethod
    def _fit_into_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            msg = "a key is ASCII, without spaces and line breaks"
            raise ValueError(msg)
        return key

    @field_validator("database_url")
    @classmethod
    def _know_the_database(cls, url: str) -> str:
        if not _DATABASE.fullmatch(url):
            msg = "use sqlite:///FILE or postgresql://USER@HOST/NAME"
            raise ValueError(msg)
        return url

    @model_validator(mode="after")
    def _know_the_whole_issuer(self) -> Self:
        if len({self.jwt_issuer is None, self.jwt_audience is None, self.jwt_keys_url is None}) > 1:
            msg = "CHAT_JWT_ISSUER, CHAT_JWT_AUDIENCE and CHAT_JWT_KEYS_URL belong together: set all three"
            raise ValueError(msg)
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _tell_all_problems(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        return validated(given, handler)


def variables() -> dict[str, Variable]:
    """What sets each setting at the moment; those with defaults are not in it."""
    return found(os.environ, Settings.model_fields).variables


def service_links() -> list[str]:
    """Names of environment variables that look like settings and are Kubernetes'."""
    return found(os.environ, Settings.model_fields).service_links
