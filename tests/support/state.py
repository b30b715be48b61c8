"""What is in the database, to show that a refused request has changed nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from services.engine.gateway import Gateway

State = dict[str, tuple[int, str]]


# A session notes by itself when it was last used, and the audit that somebody was refused.
_KEPT_APART = "('sessions', 'audit_events')"
_TABLES = f"select tablename from pg_tables where schemaname = 'public' and tablename not in {_KEPT_APART} order by 1"  # noqa: S608


def _digest(names: Iterable[str]) -> str:
    digest = "coalesce(md5(string_agg(t::text, '' order by t::text)), '')"
    parts = (f"select '{name}' as name, count(*) as size, {digest} as digest from {name} t" for name in names)  # noqa: S608
    return " union all ".join(parts)


async def state(gateway: Gateway) -> State:
    """The number of rows of every table, and a digest of them."""
    async with gateway.database.engine.connect() as connection:
        names = (await connection.exec_driver_sql(_TABLES)).scalars()
        rows = (await connection.exec_driver_sql(_digest(names))).all()
    return {row.name: (row.size, row.digest) for row in rows}


@asynccontextmanager
async def unchanged(gateway: Gateway) -> AsyncIterator[None]:
    """The block must leave every row as it was."""
    before = await state(gateway)
    yield
    assert await state(gateway) == before
