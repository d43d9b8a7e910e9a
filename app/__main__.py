"""`python -m app`: run the service, or a command for operators. Returns an exit status: see `app.start_errors`."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from app import logs
from app.announcement import announce
from app.chat.errors import CannotStart, Misconfigured
from app.contract import Contract
from app.environment.cleaned import cleaned
from app.http.problems import Problems
from app.main import create_app
from app.operators import conversations, keys
from app.operators import settings as settings_command
from app.operators.arguments import Parser
from app.server.clocks import Patience
from app.server.connection import bounded_protocol
from app.server.draining import Server
from app.server.files import allow_files
from app.server.lifespan import Lifespan, use
from app.server.listening import bound, is_public, listen, url
from app.server.refusals import Refusals
from app.server.surroundings import look_for_working_directory, open_standard_streams
from app.settings import Settings, variable_name
from app.start_errors import told

_CLOSING_SECONDS = 2
"""After the drain: how long connections may take to close before they are cut."""

_PUBLIC = (
    "CHAT_HOST: this address can be reached from outside, and no credentials are required. Next: python -m app "
    "keys create NAME; or CHAT_ALLOW_ANYONE=1, if a proxy in front authenticates or everybody may use the service"
)
_OPERATORS: dict[str, Callable[[list[str], Settings], int]] = {
    "conversations": conversations.main,
    "keys": keys.main,
    "settings": settings_command.main,
}
_FLAGS = ("host", "port", "bot")
_USAGE = "python -m app [--host HOST] [--port PORT] [--bot BOT]\n       python -m app COMMAND ..."
_HELP = """Runs the chat service, until a signal comes.

commands:
  keys           create, list and revoke API keys
  conversations  export and delete stored conversations
  settings       print all settings that are in force, and where each comes from
"""
_MORE = """Settings come from the environment, such as CHAT_PORT=8001; a flag takes precedence. Read docs/operators.md
for all settings, and for how to run the service in production.

examples:
  python -m app
  python -m app --bot simulator --port 8001
  python -m app keys create alice --expires 90
"""


def main() -> int:
    """Serve until a signal comes, or run an operator's command. Returns the exit status."""
    has_output = open_standard_streams()
    arguments = sys.argv[1:]
    if arguments[:1] and not arguments[0].startswith("-"):
        return told(partial(_command, arguments, has_output=has_output))
    return told(partial(_serve, arguments))


def serve(settings: Settings, app: FastAPI) -> int:
    """Serve an application that `create_app` has made, until a signal comes. Returns the exit status.

    Raises `CannotStart`, and whatever else keeps the application from starting.
    """
    contract = Contract.load()
    refusals = Refusals(Problems(contract.problems, contract.reference("streamChat", to="getReply")))
    config = uvicorn.Config(
        app,
        http=bounded_protocol(Patience(settings.request_seconds, settings.stalled_seconds), refusals),
        timeout_keep_alive=settings.keep_alive_seconds,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # app.access.proxies
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )
    allow_files(settings.max_open_streams)
    sockets = bound(settings.host, settings.port)  # before there is a database, which another program may be using

    must_ask = is_public(sockets) and not settings.allow_anyone

    def begin() -> None:
        gate = app.state.gate
        if must_ask and not gate.is_locked:
            raise Misconfigured(_PUBLIC)
        listen(sockets, settings.host)
        announce(settings, url(sockets, settings.host), app.state.database, has_keys=gate.has_keys)

    use(config, Lifespan(app, begin))
    server = Server(config, app.state.replies, settings.drain_seconds)
    try:
        if must_ask and not keys.are_needed(settings):
            raise Misconfigured(_PUBLIC)  # before a database is made that may not be the one that is meant
        server.run(sockets)
    except KeyboardInterrupt:
        return 130
    finally:
        for listener in sockets:
            listener.close()
    return 0 if server.started else 3


def flagged_settings(arguments: Sequence[str]) -> Settings:
    """The settings, of which some may be given by flags."""
    hints = {f"--{name.replace('_', '-')}": f"set {variable_name(name)}" for name in Settings.model_fields}
    parser = Parser(prog="python -m app", usage=_USAGE, description=_HELP, epilog=_MORE, hints=hints)
    for name in _FLAGS:
        field = Settings.model_fields[name]
        parser.add_argument(f"--{name}", help=f"{field.description} (default: {field.default})".replace("`", ""))
    given = {name: cleaned(value) for name, value in vars(parser.parse(arguments)).items() if value is not None}
    values: dict[str, Any] = {name: value for name, value in given.items() if value}
    return Settings(**values)


def _serve(arguments: Sequence[str]) -> int:
    look_for_working_directory()
    settings = flagged_settings(arguments)
    logs.configure(settings.log_level, settings.log_format)
    return serve(settings, create_app(settings))


def _command(arguments: Sequence[str], *, has_output: bool) -> int:
    look_for_working_directory()
    name, *others = arguments
    if name not in _OPERATORS:
        Parser(prog="python -m app").refuse(f"{name!r} is not a command", name, _OPERATORS)
    if not has_output:
        msg = "standard output is closed, so nothing can be printed. Next: run the command with its output open"
        raise CannotStart(msg)
    if {"-h", "--help"} & set(others):
        return _OPERATORS[name](others, Settings.model_construct())  # whatever the settings are
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format)
    return _OPERATORS[name](others, settings)


if __name__ == "__main__":
    sys.exit(main())
