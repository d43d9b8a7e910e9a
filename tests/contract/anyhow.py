"""What may become of a message, whichever operation takes it; see the fifth law."""

from collections.abc import Callable

from app.chat.errors import BotBusy, BotMisconfigured, BotSaidNothing
from tests.contract.asking import CANARY, Request, chat
from tests.contract.provocations import Provocation, Raising, after, draining, during, fresh


def anyhow(ask: Callable[[str], Request]) -> list[tuple[str, str, Provocation]]:
    """A name, the expected problem, and how to provoke it; `ask` makes the request with a message."""
    hello = ask("hello")
    return [
        ("a wrong directive", "message-refused", fresh(ask(f"/simulate {CANARY}\nhello"))),
        ("a rate limit", "bot-rate-limited", fresh(ask("/simulate status=429\n"))),
        ("as many streams as one may", "stream-limit-reached", during(hello, streams_per_client=1)),
        ("a word too many", "word-limit-reached", after(chat("a b"), hello, words_per_day=2)),
        ("a bot with a defect", "internal", fresh(hello, Raising(RuntimeError(CANARY)))),
        ("a bot that fails", "bot-failed", fresh(ask("/simulate status=502\n"))),
        ("a bot that is down", "bot-unavailable", fresh(ask("/simulate status=503\n"))),
        ("a bot with a wrong key", "bot-misconfigured", fresh(hello, Raising(BotMisconfigured()))),
        ("a bot without a word", "bot-said-nothing", fresh(hello, Raising(BotSaidNothing()))),
        ("a bot that too many wait for", "bot-busy", fresh(hello, Raising(BotBusy()))),
        ("as many streams as may be", "too-many-streams", during(hello, running=3, max_open_streams=3)),
        ("a message while draining", "draining", draining(hello)),
        ("a bot that times out", "bot-timeout", fresh(ask("/simulate status=504\n"))),
    ]
