"""`python -m app`: run the service. Settings are read from the environment; docs/operators.md lists all of them."""

import argparse
import sys
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app import logs
from app.chat.errors import BotNotConfigured, CannotStart
from app.contract import Contract
from app.http.problems import Problems
from app.main import create_app
from app.operators import conversations, keys
from app.server.clocks import Patience
from app.server.connection import bounded_protocol
from app.server.draining import Server
from app.server.files import allow_files
from app.server.refusals import Refusals
from app.settings import PREFIX, Settings

_CLOSING_SECONDS = 2
"""After the drain: how long connections may take to close before they are cut."""

_PUBLIC = (
    f"{PREFIX}HOST: this address can be reached from outside, and no credentials are required. Next: python -m app "
    f"keys create NAME; or {PREFIX}ALLOW_ANYONE=1, if a proxy in front authenticates or everybody may use the service."
)


_OPERATORS = {"conversations": conversations.main, "keys": keys.main}


def main() -> int:
    """Serve until a signal comes, or run an operator's command. Returns the exit status."""
    operator = _OPERATORS.get(sys.argv[1]) if sys.argv[1:] else None
    try:
        settings = Settings() if operator else _settings()
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            name = PREFIX + str(detail["loc"][0]).upper() if detail["loc"] else ""
            message = detail["msg"].removeprefix("Value error, ")
            print(f"{name}: {message}" if name else message, file=sys.stderr)
        print("docs/operators.md lists all settings.", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format)
    if operator:
        return operator(sys.argv[2:], settings)
    try:
        app = create_app(settings)
        is_open = not settings.allow_anyone and not _is_loopback(settings.host) and not keys.are_needed(settings)
    except BotNotConfigured as error:
        print(f"{PREFIX}BOT: {error}", file=sys.stderr)
        return error.exit_status
    except CannotStart as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if is_open:
        print(_PUBLIC, file=sys.stderr)
        return 2
    return serve(settings, app)


def serve(settings: Settings, app: FastAPI) -> int:
    """Serve an application that `create_app` has made, until a signal comes. Returns the exit status."""
    contract = Contract.load()
    refusals = Refusals(Problems(contract.problems, contract.reference("streamChat", to="getReply")))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(Patience(settings.request_seconds, settings.stalled_seconds), refusals),
        timeout_keep_alive=settings.keep_alive_seconds,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # app.access.proxies
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )
    allow_files(settings.max_open_streams)
    server = Server(config, app.state.replies, settings.drain_seconds)
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0 if server.started else 3


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _settings() -> Settings:
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description=__doc__,
        epilog="More commands: python -m app keys --help, python -m app conversations --help",
    )
    for name, field in Settings.model_fields.items():
        if name in {"host", "port", "bot"}:
            parser.add_argument(f"--{name}", help=f"{field.description} (default: {field.default})")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    return Settings(**given)


if __name__ == "__main__":
    sys.exit(main())
