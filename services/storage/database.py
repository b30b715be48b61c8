"""The connection pool, sessions for reading and units of work for writing, whose errors are Problems."""

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
    DemotedError,
    OutdatedStatementError,
    database_problems,
    is_lost,
)
from services.storage.outages import tell

WAIT_SECONDS: Final = 5
"""How long a request waits for a free connection."""
ANSWER_SECONDS: Final = 35
"""After how long without an answer a connection is given up. PostgreSQL says so itself when a statement takes too long;
a network that swallows packets says nothing."""
LEAVE_SECONDS: Final = 1.0
"""How often connections are replaced at most because the server cannot be written to."""
NOTE_SECONDS: Final = 1.0
"""How long a request waits for what it notes on the side: for a row that is locked, or for a standby that is to confirm
a commit and is gone, it would wait until its time is over."""
IDLE_SECONDS: Final = 30
"""After how long a connection is asked whether it lives."""
SERVER_SETTINGS: Final = {
    "application_name": "hybrid-gateway",
    "jit": "off",  # compiling costs more than it saves on statements this small
    # Plans are made once: planning takes longer than most of these statements do.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}


def count_statement(*_: Any) -> None:
    """Count a statement for the request in progress."""
    current = observation.current()
    if current is not None:
        current.statements += 1


def _note_opening(connection: Any, record: Any) -> None:
    record.info["opened"] = record.info["used"] = monotonic()


def _note_use(connection: Any, record: Any) -> None:
    record.info["used"] = monotonic()


@asynccontextmanager
async def _ended(session: AsyncSession) -> AsyncIterator[None]:
    """At the end of the block the session is rolled back and closed, whoever cancels."""
    try:
        yield
    except asyncio.CancelledError:
        # What becomes of a connection whose statement was cancelled must not hide that somebody has given up.
        try:
            await _end(session)
        except Exception:  # noqa: BLE001 - whatever it is, the connection is not used again
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
        session.sync_session.close()  # nothing is left that would have to be waited for


class Database:
    """One PostgreSQL database. `pool_size` is the most connections kept.

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
        """For asking whether the database answers, however busy the pool is."""
        event.listen(self.engine.sync_engine, "before_cursor_execute", count_statement)
        event.listen(self.engine.sync_engine, "connect", _note_opening)
        event.listen(self.engine.sync_engine, "checkout", self._check_connection)
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        self._lost = self._demoted = 0.0
        self.when_demoted: list[Callable[[], None]] = []
        """Called where the server turns out not to be written to any more."""
        self._write = async_sessionmaker(self.engine, expire_on_commit=False)
        # Reading needs no transaction: one statement is one snapshot, and BEGIN and ROLLBACK are two round trips.
        # Behind a pooler that gives connections to transactions, nothing is safe but in one.
        alone = {} if address.pooler is Pooler.TRANSACTION else {"isolation_level": "AUTOCOMMIT"}
        self._read = async_sessionmaker(self.engine.execution_options(**alone), expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session of its own for one sequence of reads; never shared between tasks."""
        with self._problems(), deadline.remaining():
            session = self._read()
            async with _ended(session):
                await self._live(session)
                yield session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """A session in a transaction that is rolled back unless the holder commits."""
        with self._problems():
            session = self._write()
            async with _ended(session):
                await session.connection()  # whoever goes past SQLAlchemy finds it there
                yield session

    async def note(self, statement: UpdateBase) -> None:
        """Write down what no answer depends on, such as when a session was used. Failing, it is logged, and no more."""
        try:
            async with asyncio.timeout(NOTE_SECONDS), self.unit_of_work() as session:
                await session.execute(statement)
                await session.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, the request is answered
            tell(error, None)

    async def _live(self, session: AsyncSession) -> None:
        """See to it that the session's connection lives: what reads is not made to begin again halfway."""
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
        """Before a connection is used: one that PostgreSQL has closed (a restart, a failover) is replaced.

        Where one is found lost, all that were last used before are taken to be, and where one leads to a server that
        cannot be written to, all that were opened before. The socket knows, a little later.
        Only where it may have been cut off without a word, after a while, is PostgreSQL asked: asking each time is a
        round trip that a write has better use for.
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
        except DemotedError:
            self._leave()
            raise
        except ConnectionLostError as lost:
            if not isinstance(lost, OutdatedStatementError):
                self._lost = monotonic()
            raise

    def _leave(self) -> None:
        """Have every connection opened anew, which may lead to another server; not for each write that fails."""
        now = monotonic()
        if now - self._demoted >= LEAVE_SECONDS:
            self._demoted = now
            for action in self.when_demoted:
                action()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self.probe.dispose()
