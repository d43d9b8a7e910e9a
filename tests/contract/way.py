"""One row of the fifth law's table: how a response of an operation is provoked."""

from dataclasses import dataclass

from tests.contract.document import HEADS, PROBLEMS, STATUSES
from tests.contract.provocations import Provocation


@dataclass(frozen=True, slots=True)
class Way:
    """One way to provoke a response."""

    operation_id: str | None
    """None for what no operation answers."""
    name: str
    code: str | None
    """The problem that is sent; None for a good end."""
    provocation: Provocation
    read: int = 0
    """How many words the request says were read before."""
    failed: str | None = None
    """The problem with which a stream ends."""

    @property
    def status(self) -> int:
        """The status that should come."""
        if self.code:
            status: int = PROBLEMS[self.code]["status"]
            return status
        return min(STATUSES[self.operation_id]) if self.operation_id else 200

    @property
    def head(self) -> str | None:
        """The operation that gets the headers of the same response, which can be asked in the same situation."""
        return None if self.operation_id is None or self.provocation.is_once else HEADS.get(self.operation_id)


def both(name: str, code: str | None, provocation: Provocation, failed: str | None = None) -> list[Way]:
    """A message, as a stream and as JSON. What `failed` in a stream, after its first word, is the code of the other."""
    in_one_piece = Provocation(provocation.asked.finished(), provocation.situation, provocation.is_once)
    return [
        Way("streamChat", name, code, provocation, failed=failed),
        Way("createReply", name, code or failed, in_one_piece),
    ]
