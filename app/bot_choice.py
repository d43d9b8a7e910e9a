"""Creates the bot that the settings select."""

import os

from app.bots.greeter import SUGGESTIONS, Greeter
from app.bots.installed import installed_bot
from app.bots.simulator import Simulator
from app.chat.errors import BotNotConfigured, Misconfigured
from app.chat.ports import Bot
from app.chat.watching import UNMEASURED, UNTRACED, Measures, UpstreamObserver
from app.environment.proxies import proxy_for
from app.settings import Settings

_LOOK_SECONDS = 5.0
_PART_OF_FIRST_WORD = 0.75
"""The queue's share of the wait for the first word: a full queue can still be reported by the status line."""


def chosen_bot(settings: Settings, measures: Measures = UNMEASURED, observer: UpstreamObserver = UNTRACED) -> Bot:
    """A bot of the service, or one from another package.

    Raises `BotNotConfigured`. Imports only what the chosen bot needs.
    """
    match settings.bot:
        case "greeter":
            return Greeter(settings.greeter_pace_ms)
        case "simulator":
            return Simulator()
        case "openai":
            return _openai(settings, measures, observer)
        case "local":
            return _local(settings, measures, observer)
        case name:
            return installed_bot(name)


def own_proxy(url: str) -> str | None:
    """The proxy for requests of the service's own to this URL. Raises `Misconfigured` for one that cannot be used."""
    try:
        return proxy_for(url, os.environ)
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def model_of(settings: Settings) -> dict[str, str]:
    """Which model replies, as far as the settings tell, and where; nothing for a bot that has none."""
    match settings.bot:
        case "openai":
            url = settings.openai_base_url
            model = settings.openai_model or "the first one that the engine lists"
            told = {"model": model, "engine": f"{url.scheme}://{url.host}:{url.port}{url.path}" if url else ""}
            proxy = own_proxy(str(url))
            return told | ({"proxy": proxy.rpartition("@")[2]} if proxy else {})
        case "local":
            path = settings.local_model_path
            return {"model": path.name if path else "the small one that comes with it"}
        case _:
            return {}


def model_name(settings: Settings) -> str | None:
    """The model's name for those who ask it, as far as the settings tell."""
    match settings.bot:
        case "openai":
            return settings.openai_model
        case "local":
            return settings.local_model_path.stem if settings.local_model_path else None
        case _:
            return None


def suggestions(settings: Settings) -> list[str]:
    """What to ask first. Only the greeter is known well enough to suggest something by itself."""
    if settings.suggestions is not None:
        return settings.suggestions
    return list(SUGGESTIONS) if settings.bot == "greeter" else []


def _openai(settings: Settings, measures: Measures, observer: UpstreamObserver) -> Bot:
    from app.bots.openai import OpenAI  # noqa: PLC0415
    from app.bots.request import Engine  # noqa: PLC0415

    if settings.openai_base_url is None:
        msg = "the bot `openai` needs an engine. Next: set CHAT_OPENAI_BASE_URL, such as http://127.0.0.1:8080/v1"
        raise BotNotConfigured(msg)
    return OpenAI(
        Engine(
            base_url=str(settings.openai_base_url),
            api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
            model=settings.openai_model,
            headers={name: value.get_secret_value() for name, value in settings.openai_headers.items()},
            extra_body=settings.openai_extra_body,
            proxy=own_proxy(str(settings.openai_base_url)),
            connect_seconds=settings.openai_connect_seconds,
            queue_seconds=settings.openai_queue_seconds or _PART_OF_FIRST_WORD * settings.first_word_seconds,
            first_byte_seconds=settings.openai_first_byte_seconds,
            first_token_seconds=settings.openai_first_token_seconds,
            between_bytes_seconds=settings.openai_between_bytes_seconds,
            look_seconds=min(_LOOK_SECONDS, settings.bot_silence_seconds / 3),
            connections=settings.openai_max_connections or settings.max_open_streams,
            system_prompt=settings.system_prompt,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
        ),
        measures,
        observer,
    )


def _local(settings: Settings, measures: Measures, observer: UpstreamObserver) -> Bot:
    from app.bots.local import Local, LocalModel  # noqa: PLC0415

    return Local(
        LocalModel(
            path=settings.local_model_path,
            context_tokens=settings.local_context_tokens,
            slots=settings.local_slots,
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            system_prompt=settings.system_prompt,
        ),
        measures,
        observer,
    )
