"""Bots that other packages bring: their entry points in the group `chat.bots`."""

from importlib.metadata import entry_points

from app.chat.errors import BotNotConfigured
from app.chat.ports import Bot

GROUP = "chat.bots"


def installed_bot(name: str) -> Bot:
    """What the entry point of this name makes: it names a class, or a function, that takes no arguments.

    Raises `BotNotConfigured` if there is none, or more than one.
    """
    found = entry_points(group=GROUP)
    match list(found.select(name=name)):
        case [entry_point]:
            bot: Bot = entry_point.load()()
            return bot
        case []:
            names = ", ".join(sorted({"greeter", "simulator", "openai", "local", *found.names}))
            msg = f"no bot has this name. Next: set CHAT_BOT to one of {names}"
            raise BotNotConfigured(msg)
        case _:
            msg = f"more than one installed package has a bot {name}. Next: uninstall the others"
            raise BotNotConfigured(msg)
