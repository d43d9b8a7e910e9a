"""Every knob of the service, with its default and its unit. Read from the environment, prefix `CHAT_`."""

import json
import os
import re
from difflib import get_close_matches
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CHAT_"

Milliseconds = Annotated[float, Field(ge=0, le=60_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


Host = Annotated[str, Field(pattern=r"^((\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.:\[\]-]+$")]


_DATABASE = re.compile(
    r"sqlite:///[^:?]+"
    r"|postgres(ql)?://(?=.)([^:/]*(:[^@]*)?@)?(\[[^/?]+\]|[^/:?]+)?(:[0-9]*)?(/[^?]*)?(\?.*)?"
)
"""As SQLAlchemy parses it, but for the port: what is no number there may be half of a password."""


def _without_credentials(url: HttpUrl | None) -> HttpUrl | None:
    if url is not None and (url.username or url.password):
        msg = "put the key into CHAT_OPENAI_API_KEY, not into the address"
        raise ValueError(msg)
    return url


class Settings(BaseSettings):
    """The defaults run."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="The address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="The port to listen on; 0 takes a free one")
    bot: str = Field(
        "greeter", description="Who answers: `greeter`, `simulator`, `openai`, `local`, or a bot that is installed"
    )
    greeter_pace_ms: Milliseconds = Field(60, description="The greeter's pause between words")
    system_prompt: str | None = Field(None, description="What a model is told before the conversation")
    temperature: float | None = Field(None, ge=0, le=2, description="How freely a model chooses its words")
    max_tokens: int | None = Field(None, ge=1, description="How many tokens a reply of a model's may have")
    openai_base_url: Annotated[HttpUrl | None, AfterValidator(_without_credentials)] = Field(
        None, description="Where the engine is that `openai` talks to, such as `http://127.0.0.1:8080/v1`"
    )
    openai_api_key: SecretStr | None = Field(None, description="Its key")
    openai_model: str | None = Field(None, description="Its model; without it, the first one that it lists")
    openai_headers: Annotated[dict[str, SecretStr], NoDecode] = Field(
        {}, description="More headers for it, as a JSON object"
    )
    openai_extra_body: Annotated[dict[str, Any], NoDecode] = Field(
        {}, description="More fields of each request, as a JSON object; `null` takes one out"
    )
    openai_connect_seconds: Seconds = Field(5, description="How long connecting to it may take")
    openai_queue_seconds: Seconds | None = Field(
        None, description="How long a reply may wait for its turn; without it, so long that the status line can tell"
    )
    openai_first_byte_seconds: Seconds = Field(300, description="How long it may take to begin its answer")
    openai_first_token_seconds: Seconds = Field(
        300, description="How long it may be silent then, up to its first token"
    )
    openai_between_bytes_seconds: Seconds = Field(60, description="How long it may be silent between two tokens")
    openai_max_connections: int | None = Field(
        None, ge=1, description="How many replies it may make at once; without it, `CHAT_MAX_OPEN_STREAMS`. More wait"
    )
    local_model_path: Path | None = Field(
        None, description="The GGUF file that `local` runs; without it, the small model that comes with the bot"
    )
    local_context_tokens: int = Field(
        4_096, ge=256, description="How many tokens history, message and reply may have together"
    )
    local_slots: int = Field(4, ge=1, le=64, description="How many replies it makes at once; more wait")
    first_word_seconds: Seconds = Field(2, description="How long the status line waits for the first word")
    heartbeat_seconds: Seconds = Field(15, description="After how long a silence a stream gets a keep-alive comment")
    drain_seconds: float = Field(20, ge=0, le=3600, description="How long running replies may go on after SIGTERM")
    request_seconds: Seconds = Field(10, description="How long a request's head, and then its body, may take to arrive")
    stalled_seconds: Seconds = Field(
        30, description="After how long a client that takes no byte of its stream is cut off"
    )
    keep_alive_seconds: int = Field(
        125,
        ge=1,
        le=86_400,
        description="How long a connection without a request stays open; a proxy's time is shorter",
    )
    max_body_bytes: int = Field(262_144, ge=1, description="The largest request body; a larger one gets 413")
    max_open_streams: int = Field(2_000, ge=1, description="How many replies may be open at once; one more gets 503")
    max_reply_characters: int = Field(200_000, ge=1, description="The longest reply; a longer one ends with `length`")
    bot_silence_seconds: Seconds = Field(60, description="How long a bot may be silent before its reply fails")
    reply_seconds: Seconds = Field(600, description="How long a whole reply may take before it fails")
    database_url: str = Field(
        "sqlite:///chat.db", description="Where conversations are stored: `sqlite:///FILE` or `postgresql://...`"
    )
    resume_window_seconds: float = Field(
        10, ge=0, le=3600, description="How long a reply goes on without a reader; 0 stops it at once"
    )
    unread_seconds: float = Field(
        600,
        ge=0,
        le=86_400,
        description="How long a reply goes on without a reader if its request says `on_disconnect: continue`",
    )
    retention_seconds: float = Field(
        60, ge=0, le=86_400, description="How long a finished reply is kept in memory besides"
    )
    save_every_seconds: Seconds = Field(2, description="How often the progress of running replies is stored")
    storage_seconds: Seconds = Field(5, description="How long the database may take")
    history_messages: int = Field(100, ge=0, description="How many earlier messages a bot gets to see")
    history_characters: int = Field(100_000, ge=0, description="How many characters of them")
    allow_anyone: bool = Field(
        default=False, description="Whether to listen on a public address although no credentials are asked for"
    )
    jwt_issuer: str | None = Field(None, min_length=1, description="Whose tokens are taken as credentials: their `iss`")
    jwt_audience: str | None = Field(None, min_length=1, description="Whom its tokens have to be for: their `aud`")
    jwt_keys_url: HttpUrl | None = Field(None, description="Where the issuer publishes its keys (JWKS)")
    jwt_algorithms: list[Literal["RS256", "PS256", "ES256", "EdDSA"]] = Field(
        ["RS256", "PS256", "ES256", "EdDSA"], min_length=1, description="How its tokens may be signed, as a JSON list"
    )
    requests_per_minute: int = Field(0, ge=0, description="How many requests a client may send; 0 is no limit")
    streams_per_client: int = Field(0, ge=0, description="How many streams a client may have open; 0 is no limit")
    words_per_day: int = Field(0, ge=0, description="How many words a client may be told; 0 is no limit")
    trusted_proxies: list[str] = Field(
        [], description="Addresses and networks of proxies whose `X-Forwarded-...` is believed, as a JSON list"
    )
    allowed_hosts: list[Host] = Field(
        [],
        description="Hosts to answer for, as a JSON list; `*.example.org` is all below that, and `[]` any where "
        "credentials are asked for, else names of this machine",
    )
    allowed_origins: list[Origin] = Field(
        [], description="Origins whose pages may use the service (CORS), as a JSON list"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged: `debug`, `info`, `warning` or `error`"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json`, `console` (for people), or `auto`: console on a terminal, else JSON"
    )

    @field_validator("openai_headers", "openai_extra_body", mode="before")
    @classmethod
    def _parse_json(cls, value: object) -> object:
        """Here, and not by pydantic-settings: that raises something else, and there may be a key in it."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            msg = "write a JSON object"
            raise ValueError(msg) from None

    @field_validator("openai_api_key")
    @classmethod
    def _fit_into_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            msg = "a key has neither spaces nor line breaks"
            raise ValueError(msg)
        return key

    @field_validator("trusted_proxies")
    @classmethod
    def _know_proxies_by_address(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            if proxy == "*":
                continue
            try:
                network = ip_network(proxy, strict=False)
            except ValueError:
                msg = f"{proxy!r} is no address; write those of the proxies, or their networks, such as 10.0.0.0/8"
                raise ValueError(msg) from None
            if "/" in proxy and ip_interface(proxy).ip != network.network_address:
                msg = f"{proxy} is an address within a network; write {network}, or the address alone"
                raise ValueError(msg)
        return proxies

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

    @model_validator(mode="after")
    def _know_all_names(self) -> Self:
        known = {PREFIX + name.upper() for name in type(self).model_fields}
        for name in os.environ:
            if name.upper().startswith(PREFIX) and name.upper() not in known:
                near = get_close_matches(name.upper(), known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                msg = f"{name} is not a setting{hint}"
                raise ValueError(msg)
        return self
