"""The connection pool, sessions for reading and units of work for writing. Their errors are Problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from time import monotonic
from typing import Any, Final

from sqlalchemy import NullPool, UpdateBase, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.process import deadline, observation
from services.storage.address import Address, Pooler
from services.storage.base import Base
from services.storage.connecting import connect, engine
from services.storage.constraints import (
    DRIVER_ERRORS,
    ConnectionLostError,
    OutdatedStatementError,
    ReadOnlyServerError,
    database_problems,
    is_lost,
)
from services.storage.outages import tell

WAIT_SECONDS: Final = 5
"""How long a request waits for a free connection."""
ANSWER_SECONDS: Final = 35
"""How long a connection may be silent, since a network that drops packets reports no error."""
LEAVE_SECONDS: Final = 1.0
"""The minimum time between two replacements of all connections because the server is read-only."""
NOTE_SECONDS: Final = 1.0
"""How long a request waits for a write that its answer does not depend on.

It might otherwise wait for a lock, or for a standby that no longer confirms commits, until its own timeout.
"""
IDLE_SECONDS: Final = 30
"""How long a connection may be idle before it is tested."""
SERVER_SETTINGS: Final = {
    "application_name": "hybrid-gateway",
    "jit": "off",  # compiling costs more than it saves on statements this small
    # Statements are planned once: planning takes longer than executing most of them.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}


def count_statement(*_: Any) -> None:
    """Count a statement for the current request."""
    current = observation.current()
    if current is not None:
        current.statements += 1


def _note_opening(connection: Any, record: Any) -> None:
    record.info["opened"] = record.info["used"] = monotonic()


def _note_use(connection: Any, record: Any) -> None:
    record.info["used"] = monotonic()


@asynccontextmanager
async def _ended(session: AsyncSession) -> AsyncIterator[None]:
    """Roll back and close the session at the end of the block, also on cancellation."""
    try:
        yield
    except asyncio.CancelledError:
        # An error in closing the session must not replace the cancellation.
        try:
            await _end(session)
        except Exception:  # noqa: BLE001 - after any error the connection is not used again
            with suppress(Exception):
                await session.invalidate()
        raise
    except BaseException:
        await _end(session)
        raise
    await _end(session)


async def _end(session: AsyncSession) -> None:
    if session.in_transaction():
        async with session:
            pass
    else:
        session.sync_session.close()  # without a transaction there is nothing to await


class Database:
    """A PostgreSQL database. `pool_size` is the highest number of connections.

    Every statement is counted in the current observation.
    """

    def __init__(self, address: Address, *, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = engine(
            address,
            partial(connect, address, SERVER_SETTINGS, answer_seconds=ANSWER_SECONDS),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=WAIT_SECONDS,
            pool_use_lifo=True,
            hide_parameters=True,
        )
        self.probe: AsyncEngine = engine(address, partial(connect, address, {}), poolclass=NullPool)
        """An engine for health checks, independent of the pool's load."""
        event.listen(self.engine.sync_engine, "before_cursor_execute", count_statement)
        event.listen(self.engine.sync_engine, "connect", _note_opening)
        event.listen(self.engine.sync_engine, "checkout", self._check_connection)
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        self._lost = self._demoted = 0.0
        self.when_demoted: list[Callable[[], None]] = []
        """Callbacks for when the server turns out to be read-only."""
        self._write = async_sessionmaker(self.engine, expire_on_commit=False)
        # Reading needs no transaction: one statement is one snapshot, and BEGIN and ROLLBACK are two round trips.
        # Behind a pooler in transaction mode, statements outside of a transaction could change connections.
        alone = {} if address.pooler is Pooler.TRANSACTION else {"isolation_level": "AUTOCOMMIT"}
        self._read = async_sessionmaker(self.engine.execution_options(**alone), expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Return a session for one sequence of reads, which must not be shared between tasks."""
        with self._problems(), deadline.remaining():
            session = self._read()
            async with _ended(session):
                await self._live(session)
                yield session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """Return a session in a transaction, which is rolled back unless the caller commits it."""
        with self._problems():
            session = self._write()
            async with _ended(session):
                await session.connection()  # statements that bypass SQLAlchemy need it
                yield session

    async def note(self, statement: UpdateBase) -> None:
        """Execute a write that no answer depends on (the time a session was last used); errors are only logged."""
        try:
            async with asyncio.timeout(NOTE_SECONDS), self.unit_of_work() as session:
                await session.execute(statement)
                await session.commit()
        except Exception as error:  # noqa: BLE001 - no error prevents the answer
            tell(error, None)

    async def _live(self, session: AsyncSession) -> None:
        """Test the session's connection, so that a sequence of reads does not fail halfway."""
        connection = await session.connection()
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        try:
            await raw.driver_connection.fetchrow(";")
        except DRIVER_ERRORS as error:
            if not is_lost(error):
                raise
            self._lost = monotonic()
            await connection.invalidate()
            await session.close()

    def _check_connection(self, connection: Any, record: Any, proxy: Any) -> None:
        """Replace a connection that PostgreSQL has closed (a restart, a failover) before it is used.

        If a connection was found lost, all that were last used before are replaced; if one leads to a read-only server,
        all that were opened before. Otherwise the socket tells whether it is closed. Only after a long idle time is
        PostgreSQL asked, because it costs a round trip.
        """
        used = record.info["used"]
        if connection.driver_connection.is_closed() or used <= self._lost or record.info["opened"] <= self._demoted:
            raise DisconnectionError
        if monotonic() - used > IDLE_SECONDS:
            try:
                connection.ping()
            except Exception as error:
                raise DisconnectionError from error

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            with database_problems(Base.metadata):
                yield
        except ReadOnlyServerError:
            self._leave()
            raise
        except ConnectionLostError as lost:
            if not isinstance(lost, OutdatedStatementError):
                self._lost = monotonic()
            raise

    def _leave(self) -> None:
        """Reopen every connection, which may lead to another server, but not for each failed write."""
        now = monotonic()
        if now - self._demoted >= LEAVE_SECONDS:
            self._demoted = now
            for action in self.when_demoted:
                action()

    async def close(self) -> None:
        await self.engine.dispose()
        await self.probe.dispose()
