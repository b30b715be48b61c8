"""The same data for every call: one transaction, of which each call's changes are rolled back.

All sessions and all compiled reads use one connection, one after the other, and after each call the connection goes
back to a savepoint. A session's commit is released into the outer transaction, so that later sessions of the same call
see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import UpdateBase, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from gateway.app import create_app
from gateway.parity.world.rows import WRITTEN, Snapshots, State
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
_READING: Final = "reading"
_PLANS: Final = 1_000


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
        assert self.driver is not None
        assert self._joined is not None
        async with self.lock:
            await self.driver.execute(f"savepoint {_READING}")
            try:
                with database_problems(Base.metadata):
                    async with self._joined(autoflush=False, join_transaction_mode="rollback_only") as session:
                        yield session
            finally:
                await self.driver.execute(f"rollback to savepoint {_READING}")

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """Yield a session whose commit is visible to other sessions of the same call."""
        assert self._joined is not None
        async with self.lock:
            with database_problems(Base.metadata):
                async with self._joined(join_transaction_mode="create_savepoint") as session:
                    await session.connection()
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


@dataclass(slots=True)
class Sandbox:
    """An application and its gateway, over data that `undo` restores.

    `reference` is the gateway without the Reader, so that all its reads take the general path.
    """

    settings: Settings
    app: FastAPI
    gateway: Gateway
    reference: Gateway
    driver: asyncpg.Connection
    redis: Redis
    snapshots: Snapshots
    before: State
    _written: int = 0
    _changed: bool = False
    """Whether the application was built from a changed catalogue."""

    async def undo(self, *, wrote: bool) -> dict[str, Any]:
        """Undo the last call in PostgreSQL and, if it changed rows, in Redis and in this process's memory.

        Returns the changed rows by table.
        """
        changed: dict[str, Any] = {}
        written = await self.driver.fetchval(WRITTEN)
        if written != self._written:
            self._written = written
            changed = self.snapshots.difference(self.before, await self.snapshots.take(self.driver))
        if wrote or changed:
            await self.driver.execute(f"rollback to savepoint {_START}")
        if changed:
            await self.redis.flushdb()
            self.gateway.part(CredentialCache).forget_all()
        return changed

    def renew(self, *, policies_only: bool = False) -> None:
        """Drop all compiled state after a change of the catalogue, or of policies only, which the faces do not read."""
        forget_statements()
        reader = self.gateway.reader
        assert reader is not None
        if not policies_only or self._changed:
            self.app = create_app(self.settings, self.gateway.catalogue)
        self._changed = not policies_only
        self.gateway = replace(self.gateway, reader=Reader(reader.pool, reader.cursors, plans=_PLANS))


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
        snapshots = await Snapshots.of(driver)
        before = await snapshots.take(driver)
        yield Sandbox(settings, app, gateway, replace(gateway, reader=None), driver, redis, snapshots, before)
