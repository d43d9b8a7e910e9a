"""Bots from other packages: their entry points in the group `chat.bots`."""

from importlib.metadata import entry_points

from app.chat.errors import BotNotConfigured
from app.chat.ports import Bot

GROUP = "chat.bots"


def installed_bot(name: str) -> Bot:
    """The bot from the entry point of this name: a class or function without arguments.

    Raises `BotNotConfigured` if there is no such entry point, or more than one.
    """
    found = entry_points(group=GROUP)
    match list(found.select(name=name)):
        case [entry_point]:
            try:
                bot: Bot = entry_point.load()()
            except Exception as error:  # whatever another package raises
                msg = f"the bot {name} could not be created: {type(error).__qualname__}"
                raise BotNotConfigured(f"{msg}. Next: CHAT_LOG_LEVEL=debug shows where that was raised") from error
            return bot
        case []:
            names = ", ".join(sorted({"greeter", "simulator", "openai", "local", *found.names}))
            msg = f"no bot has this name. Next: set CHAT_BOT to one of {names}"
            raise BotNotConfigured(msg)
        case _:
            msg = f"more than one installed package has a bot {name}. Next: uninstall the others"
            raise BotNotConfigured(msg)
