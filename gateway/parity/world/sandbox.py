"""The same data for every call: one transaction, of which each call's changes are rolled back.

All sessions and all compiled reads use one connection, one after the other, and after each call the connection goes
back to a savepoint. A session's commit is released into the outer transaction, so that later sessions of the same call
see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg
import orjson
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import UpdateBase, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from gateway.app import create_app
from gateway.runtime import open_gateway
from gateway.settings import Settings
from services.catalogue import Catalogue
from services.engine.gateway import Gateway
from services.identity.auth.memory import CredentialCache
from services.reader.pool import ReadPool
from services.reader.reader import Reader
from services.storage.address import Address
from services.storage.base import Base
from services.storage.constraints import database_problems
from services.storage.database import Database, count_statement
from services.storage.rows import forget_statements

_START: Final = "world"
State = dict[str, dict[str, dict[str, Any]]]
"""Rows as PostgreSQL's JSON, by table and key."""

_TABLES: Final = """
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as key
    from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'alembic_version'
    group by c.relname order by c.relname"""
_WRITTEN: Final = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_xact_user_tables"
"""The number of rows that the transaction has written so far, those rolled back to a savepoint included."""


def _count_unless_savepoint(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    """Count a statement, unless it is a savepoint, which here stands for the begin or the end of a transaction."""
    if not statement.startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")):
        count_statement()


class SandboxDatabase(Database):
    """A database whose sessions all join one transaction, one at a time."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, pool_size=1)
        event.remove(self.engine.sync_engine, "before_cursor_execute", count_statement)
        event.listen(self.engine.sync_engine, "before_cursor_execute", _count_unless_savepoint)
        self.lock = asyncio.Lock()
        self.driver: asyncpg.Connection | None = None
        self._joined: async_sessionmaker[AsyncSession] | None = None

    def join(self, connection: AsyncConnection, driver: asyncpg.Connection) -> None:
        """Open all further sessions in this connection's transaction; `driver` is its asyncpg connection."""
        self.driver, self._joined = driver, async_sessionmaker(connection, expire_on_commit=False)

    async def note(self, statement: UpdateBase) -> None:
        """Discard the statement: no answer depends on it."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Yield a session whose changes are rolled back."""
        async with self._session(autoflush=False) as session:
            yield session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """Yield a session whose commit is visible to other sessions of the same call."""
        async with self._session() as session:
            await session.connection()
            yield session

    @asynccontextmanager
    async def _session(self, **options: Any) -> AsyncIterator[AsyncSession]:
        assert self._joined is not None
        async with self.lock:
            with database_problems(Base.metadata):
                async with self._joined(join_transaction_mode="create_savepoint", **options) as session:
                    yield session


class SandboxReads(ReadPool):
    """Runs compiled reads on the sandbox's connection."""

    def __init__(self, database: SandboxDatabase) -> None:
        super().__init__(Address(""), size=0, statements=0)
        self._database = database

    async def fetch_row(self, text: str, values: Sequence[Any]) -> Sequence[Any] | None:
        driver = self._database.driver
        assert driver is not None
        count_statement()
        async with self._database.lock:
            try:
                row: Sequence[Any] | None = await driver.fetchrow(text, *values)
            except asyncpg.PostgresError:
                # The error is reported as an internal one; the transaction must stay usable.
                await driver.execute(f"rollback to savepoint {_START}")
                raise
        return row


async def _snapshot(driver: asyncpg.Connection, keys: Mapping[str, list[str]]) -> State:
    """Return all rows of these tables, of which the columns of the primary keys are given."""
    parts = [f"'{name}', (select coalesce(json_agg(t), '[]') from \"{name}\" t)" for name in keys]  # noqa: S608
    tables = orjson.loads(await driver.fetchval(f"select json_build_object({', '.join(parts)})::text"))
    return {
        name: {"/".join(str(row[column]) for column in keys[name]): row for row in rows}
        for name, rows in tables.items()
    }


def _difference(before: State, after: State) -> dict[str, Any]:
    """Return, by table, rows `added`, the changed columns of rows `changed`, and the keys of rows `removed`."""
    tables: dict[str, Any] = {}
    for name, old in before.items():
        new = after[name]
        if old != new:
            changed = sorted(key for key in old.keys() & new.keys() if old[key] != new[key])
            tables[name] = {
                "added": [new[key] for key in sorted(new.keys() - old.keys())],
                "changed": {
                    key: {name: value for name, value in new[key].items() if old[key].get(name) != value}
                    for key in changed
                },
                "removed": sorted(old.keys() - new.keys()),
            }
    return tables


@dataclass(slots=True)
class Sandbox:
    """An application over data that `undo` restores; `reference` is the gateway without compiled reads."""

    settings: Settings
    app: FastAPI
    gateway: Gateway
    reference: Gateway
    driver: asyncpg.Connection
    redis: Redis
    keys: Mapping[str, list[str]]
    """The columns of each table's primary key."""
    before: State
    _written: int = 0

    async def undo(self, *, wrote: bool) -> dict[str, Any]:
        """Undo the last call, in Redis and in memory only if it changed rows. Returns the changed rows by table."""
        changed: dict[str, Any] = {}
        written = await self.driver.fetchval(_WRITTEN)
        if written != self._written:
            self._written = written
            changed = await self.changes()
        if wrote or changed:
            await self.driver.execute(f"rollback to savepoint {_START}")
        if changed:
            await self.redis.flushdb()
            self.gateway.part(CredentialCache).forget_all()
        return changed

    async def changes(self) -> dict[str, Any]:
        """Return the rows that differ from those before all calls, by table."""
        return _difference(self.before, await _snapshot(self.driver, self.keys))

    def renew(self) -> None:
        """Drop all compiled state after a change of the catalogue."""
        forget_statements()
        reader = self.gateway.reader
        assert reader is not None
        self.app = create_app(self.settings, self.gateway.catalogue)
        self.gateway = replace(self.gateway, reader=Reader(reader.pool, reader.cursors, plans=1_000))


@asynccontextmanager
async def sandbox(settings: Settings, catalogue: Catalogue) -> AsyncIterator[Sandbox]:
    """Open a sandbox over the database of `settings`, whose Redis database is emptied by `undo`."""
    app = create_app(settings, catalogue)
    database = SandboxDatabase(settings.database)
    async with (
        open_gateway(settings, catalogue, database=database, reads=SandboxReads(database)) as gateway,
        database.engine.connect() as connection,
        Redis.from_url(settings.redis_url) as redis,  # without the short timeouts of the gateway's own client
    ):
        await connection.exec_driver_sql("set local idle_in_transaction_session_timeout = 0")
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute(f"savepoint {_START}")
        database.join(connection, driver)
        keys = {row["name"]: list(row["key"]) for row in await driver.fetch(_TABLES)}
        before = await _snapshot(driver, keys)
        yield Sandbox(settings, app, gateway, replace(gateway, reader=None), driver, redis, keys, before)
