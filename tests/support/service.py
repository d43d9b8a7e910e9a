"""`python -m tests.support.service`: the real server with a bot that takes commands as messages, for live tests.

`raise <name> <text>` raises that exception with that text; `speak and raise <name> <text>` first yields two words;
`relay <port>` yields what the server on that port of this machine sends, and fails at a line with only `!`.
"""

import argparse
import asyncio
import builtins
import sys
from collections.abc import AsyncGenerator

from app import logs
from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Usage
from app.main import create_app
from app.serving import serve
from app.settings import Settings

SERVICE = ("-m", "tests.support.service")
"""`LiveServer(program=SERVICE)`."""


class ObedientBot:
    """Executes its message."""

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        """See the module's docstring."""
        match conversation.user_message.split(maxsplit=2):
            case ["speak", "and", rest]:
                yield "Hi there"
                raise _exception(rest)
            case ["raise", *_]:
                raise _exception(conversation.user_message)
            case ["relay", port]:
                async for text in _relayed(int(port)):
                    yield text
            case _:
                yield conversation.user_message


def _exception(command: str) -> BaseException:
    _, name, text = command.split(maxsplit=2)
    kind = asyncio.CancelledError if name == "CancelledError" else getattr(builtins, name)
    error = kind(text)
    if not isinstance(error, BaseException):
        raise TypeError(name)
    return error


async def _relayed(port: int) -> AsyncGenerator[str, None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async for line in reader:
            if line == b"!\n":
                raise BotFailed
            yield line.decode()
    finally:
        writer.close()


def main() -> int:
    """Serve, with the flags of `python -m app`."""
    parser = argparse.ArgumentParser()
    for name in ("host", "port", "bot"):
        parser.add_argument(f"--{name}")
    settings = Settings(**{name: value for name, value in vars(parser.parse_args()).items() if name != "bot"})
    logs.configure(settings.log_level, settings.log_format)
    return serve(settings, create_app(settings, ObedientBot()))


if __name__ == "__main__":
    sys.exit(main())
