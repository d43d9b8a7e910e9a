"""One row of the fifth law's table: how to provoke a response of an operation."""

from dataclasses import dataclass

from tests.contract.document import HEADS, PROBLEMS, STATUSES
from tests.contract.provocations import Provocation


@dataclass(frozen=True, slots=True)
class Way:
    """One way to provoke a response."""

    operation_id: str | None
    """`None` for requests that reach no operation."""
    name: str
    code: str | None
    """The expected problem; `None` for success."""
    provocation: Provocation
    read: int = 0
    """How many words the request says it has already read."""
    failed: str | None = None
    """The problem that ends the stream."""
    good: int = 0
    """The status of success, if it is not the operation's lowest."""

    @property
    def status(self) -> int:
        """The expected status."""
        if self.code:
            status: int = PROBLEMS[self.code]["status"]
            return status
        if self.good:
            return self.good
        return min(STATUSES[self.operation_id]) if self.operation_id else 200

    @property
    def head(self) -> str | None:
        """The HEAD operation for the same response, which can be requested in the same situation."""
        return None if self.operation_id is None or self.provocation.is_once else HEADS.get(self.operation_id)


def both(name: str, code: str | None, provocation: Provocation, failed: str | None = None) -> list[Way]:
    """A message, as a stream and as JSON. A stream's `failed` after its first word is the other operation's status."""
    in_one_piece = Provocation(provocation.asked.finished(), provocation.situation, provocation.is_once)
    return [
        Way("streamChat", name, code, provocation, failed=failed),
        Way("createReply", name, code or failed, in_one_piece),
    ]


def completed(name: str, code: str | None, provocation: Provocation, failed: str | None = None) -> list[Way]:
    """A request for a completion, as a stream and as JSON."""
    in_one_piece = Provocation(provocation.asked.unstreamed(), provocation.situation, provocation.is_once)
    return [
        Way("createChatCompletion", f"{name}, streamed", code, provocation, failed=failed),
        Way("createChatCompletion", name, code or failed, in_one_piece),
    ]
