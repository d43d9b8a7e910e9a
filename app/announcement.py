"""What the log says when the service has started: one line each for the bot, the database, the access and the place."""

from collections.abc import Mapping, Sequence

import structlog

from app.bot_choice import model_of
from app.contradictions import contradictions
from app.settings import Settings, service_links

_log = structlog.get_logger()


def announce(  # noqa: PLR0913 - what the log says, a line or two each
    settings: Settings,
    url: str,
    database: Mapping[str, str],
    *,
    has_keys: bool,
    workers: Sequence[int] = (),
    metrics: str | None = None,
) -> None:
    """Log them. `url` is what to open; `database`, what to call it. None of them holds a secret.

    `workers` are process ids, if there are several; `metrics` is the URL of a listener for those.
    """
    if links := service_links():
        _log.info("variables that Kubernetes sets for a service are not settings, and were ignored", names=links)
    for contradiction in contradictions(settings):
        _log.warning(contradiction)
    bot = {"bot": settings.bot} | model_of(settings)
    _log.info("replies come from the bot", **bot)
    _log.info("conversations are stored in the database", **database)
    kinds = [
        *(["API keys"] if has_keys else []),
        *([f"tokens of {settings.jwt_issuer}"] if settings.jwt_issuer else []),
    ]
    if kinds:
        _log.info("credentials are required", accepted=" and ".join(kinds))
    else:
        _log.info("no credentials are required. Next: python -m app keys create NAME, if they should be")
    if metrics is not None:
        _log.info(f"metrics are on {metrics}")
    _log.info(f"the service is running on {url}", **({"workers": list(workers)} if workers else {}))
