"""What clients have had of their words for the day, in SQL."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, case, delete, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.chat.access import Charge, Spent
from app.storage.schema import word_budgets
from app.storage.transactions import Transactions, answered

_MOST_CLIENTS = 100_000


class SqlBudgetStore:
    """`app.chat.access.BudgetStore`."""

    def __init__(self, transactions: Transactions) -> None:
        """Where they are."""
        self._transactions = transactions

    async def spent(self, now_ms: int) -> Iterable[Spent]:
        """See `BudgetStore`."""
        columns = word_budgets.c

        def read(connection: Connection) -> list[Spent]:
            connection.execute(delete(word_budgets).where(columns.ends_ms <= now_ms))
            rows = connection.execute(select(word_budgets).order_by(columns.ends_ms.desc()).limit(_MOST_CLIENTS))
            return [Spent(**row) for row in rows.mappings()][::-1]

        return await answered(self._transactions, read)

    async def spend(self, charges: Sequence[Charge], now_ms: int, window_ms: int) -> Iterable[Spent]:
        """See `BudgetStore`."""
        ordered = sorted(charges, key=lambda charge: charge.client)  # so that two instances cannot block each other

        def write(connection: Connection) -> list[Spent]:
            return [_spend(connection, charge, now_ms, window_ms) for charge in ordered]

        return await answered(self._transactions, write)


def _spend(connection: Connection, charge: Charge, now_ms: int, window_ms: int) -> Spent:
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = upsert(word_budgets).values(client=charge.client, words=charge.words, ends_ms=now_ms + window_ms)
    old = word_budgets.c
    # An end that is far away is one from before a clock was set back. The clocks of instances may be apart a bit.
    is_over = or_(old.ends_ms <= now_ms, old.ends_ms > now_ms + 2 * window_ms, literal(charge.begins_anew))
    statement = new.on_conflict_do_update(
        index_elements=["client"],
        set_={
            "words": case((is_over, new.excluded.words), else_=old.words + new.excluded.words),
            "ends_ms": case((is_over, new.excluded.ends_ms), else_=old.ends_ms),
        },
    ).returning(old.client, old.words, old.ends_ms)
    return Spent(**connection.execute(statement).mappings().one())
