"""The command line: run the service, or a command for operators. Exit statuses are in `app.start_errors`."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app import logs
from app.chat.errors import CannotStart
from app.environment.cleaned import cleaned
from app.environment.source import variable_name
from app.main import create_app
from app.operators import conversations, keys
from app.operators import settings as settings_command
from app.operators.arguments import Parser
from app.server.surroundings import look_for_working_directory, open_standard_streams
from app.serving import serve
from app.settings import Settings
from app.start_errors import told
from app.workers.serving import serve_with_workers

_OPERATORS: dict[str, Callable[[list[str], Settings], int]] = {
    "conversations": conversations.main,
    "keys": keys.main,
    "settings": settings_command.main,
}
_FLAGS = ("host", "port", "bot", "workers")
_USAGE = "python -m app [--host HOST] [--port PORT] [--bot BOT] [--workers N]\n       python -m app COMMAND ..."
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
  python -m app --workers 4
  python -m app keys create alice --expires 90
"""


def main() -> int:
    """Serve until a signal comes, or run an operator's command. Returns the exit status."""
    has_output = open_standard_streams()
    arguments = sys.argv[1:]
    if arguments[:1] and not arguments[0].startswith("-"):
        return told(partial(_command, arguments, has_output=has_output))
    return told(partial(_serve, arguments))


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
    if settings.workers > 1:
        return serve_with_workers(settings)
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
