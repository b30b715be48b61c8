"""What is in the database, to show that a refused request has changed nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.execution import Gateway
from services.storage.base import Base

State = dict[str, tuple[int, str]]


def _digest() -> str:
    # A session notes by itself when it was last used.
    names = [name for name in Base.metadata.tables if name != "sessions"]
    digest = "coalesce(md5(string_agg(t::text, '' order by t::text)), '')"
    parts = (f"select '{name}' as name, count(*) as size, {digest} as digest from {name} t" for name in names)  # noqa: S608
    return " union all ".join(parts)


async def state(gateway: Gateway) -> State:
    """The number of rows of every table, and a digest of them."""
    async with gateway.database.engine.connect() as connection:
        rows = (await connection.exec_driver_sql(_digest())).all()
    return {row.name: (row.size, row.digest) for row in rows}


@asynccontextmanager
async def unchanged(gateway: Gateway) -> AsyncIterator[None]:
    """The block must leave every row as it was."""
    before = await state(gateway)
    yield
    assert await state(gateway) == before
