"""API keys, in SQL."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from app.chat.access import ApiKey
from app.storage.schema import api_keys
from app.storage.transactions import Transactions, answered


class SqlKeyStore:
    """`app.chat.access.KeyStore`."""

    def __init__(self, transactions: Transactions) -> None:
        """Where they are."""
        self._transactions = transactions

    async def keys(self) -> Iterable[ApiKey]:
        """See `KeyStore`."""

        def read(connection: Connection) -> list[ApiKey]:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_ms, api_keys.c.key_id))
            return [ApiKey(**row) for row in rows.mappings()]

        return await answered(self._transactions, read)

    async def add_key(self, key: ApiKey) -> None:
        """See `KeyStore`."""
        row = {column.name: getattr(key, column.name) for column in api_keys.columns}

        def write(connection: Connection) -> None:
            connection.execute(insert(api_keys), row)

        await answered(self._transactions, write)

    async def revoke_key(self, key_id: str, now_ms: int) -> bool:
        """See `KeyStore`."""

        def write(connection: Connection) -> bool:
            unrevoked = (api_keys.c.key_id == key_id) & api_keys.c.revoked_ms.is_(None)
            connection.execute(update(api_keys).where(unrevoked).values(revoked_ms=now_ms))
            return connection.scalar(select(api_keys.c.key_id).where(api_keys.c.key_id == key_id)) is not None

        return await answered(self._transactions, write)
