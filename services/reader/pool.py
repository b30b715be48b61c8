"""Connections for reading: a fixed number, each with nothing to reset.

asyncpg's own pool resets a connection when it comes back (a round trip) and wraps it when it goes out; both cost more
than a short read. What is read here leaves nothing behind: the connections are read-only, no transaction stays open,
and nobody changes a setting. Statements are prepared by asyncpg, which remembers them by their text.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakSet

import asyncpg

from services.catalogue.problems import UNAVAILABLE, Problem
from services.storage import database
from services.storage.address import Address
from services.storage.connecting import READ_ONLY, connect
from services.storage.constraints import DRIVER_ERRORS, is_lost, state_of
from services.storage.database import count_statement
from services.storage.outages import Outage, outage_of, tell

MAX_PREPARED: Final = 100
"""Statements that one connection remembers: PostgreSQL keeps a plan of each in every backend."""
CLOSE_SECONDS: Final = 5.0
"""How long a connection may take to be closed in order."""
READ_SETTINGS: Final = {READ_ONLY: "on"}


class _LostError(Exception):
    """The connection is no more."""


class ReadPool:
    """At most `size` connections to one PostgreSQL database, opened as they are needed; `statements`: prepared each."""

    def __init__(self, address: Address, *, size: int, statements: int) -> None:
        self._address, self._statements = address, statements
        self._settings = {**database.SERVER_SETTINGS, **READ_SETTINGS}
        self._wait_seconds, self._answer_seconds = database.WAIT_SECONDS, database.ANSWER_SECONDS
        self._idle: list[asyncpg.Connection] = []
        self._unopened = size
        self._waiting: deque[tuple[float, asyncio.Future[asyncpg.Connection | None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._settling: set[asyncio.Task[None]] = set()
        self._opened: WeakSet[asyncpg.Connection] = WeakSet()
        self._left: set[asyncpg.Connection] = set()

    async def fetch_row(self, text: str, values: Sequence[Any]) -> Sequence[Any] | None:
        """The first row of a statement. Raises `unavailable` when the database is, or the statement takes too long."""
        count_statement()
        try:
            connection, fresh = await self._acquire()
            try:
                return await self._fetch(connection, text, values)
            except _LostError:
                if fresh:
                    raise
            # PostgreSQL closed it while it was idle (a restart, a failover), and no doubt the others too.
            self._drop_idle()
            connection, _ = await self._acquire()
            return await self._fetch(connection, text, values)
        except (_LostError, *DRIVER_ERRORS) as error:
            cause = error.__cause__ if isinstance(error, _LostError) and error.__cause__ else error
            outage = outage_of(state_of(cause))
            if outage is Outage.DEMOTED or not (outage or is_lost(cause) or isinstance(cause, OSError)):
                raise  # a fault of ours: nothing is to be written here
            tell(cause, outage)
            raise Problem(UNAVAILABLE, retry_after=1) from error

    async def _fetch(self, connection: asyncpg.Connection, text: str, values: Sequence[Any]) -> Sequence[Any] | None:
        cancelled = False
        try:
            row: Sequence[Any] | None = await connection.fetchrow(text, *values)
            return row
        except asyncio.CancelledError:
            cancelled = True
            raise
        except TimeoutError:
            connection.terminate()  # nobody knows whether the answer still comes
            raise
        except DRIVER_ERRORS as error:
            if is_lost(error):
                connection.terminate()
                raise _LostError from error
            raise
        finally:
            self._settle(connection) if cancelled else self._release(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to oneself, for the length of the block."""
        found, _ = await self._acquire()
        try:
            yield found
        except asyncio.CancelledError:
            self._settle(found)
            raise
        except BaseException:
            self._release(found)
            raise
        self._release(found)

    async def probe(self) -> None:
        """Ask whether the database answers, however busy the pool is."""
        connection = await self._open()
        try:
            await connection.execute("select 1")
        finally:
            await connection.close(timeout=CLOSE_SECONDS)

    def leave(self) -> None:
        """Have every connection opened anew, which may lead to another server; those in use once they come back."""
        self._drop_idle()
        self._left = {each for each in self._opened if not each.is_closed()}

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)
        while self._idle:
            await self._idle.pop().close(timeout=CLOSE_SECONDS)

    async def _acquire(self) -> tuple[asyncpg.Connection, bool]:
        """A connection, and whether it has just been opened."""
        while self._idle:
            found = self._idle.pop()
            if not found.is_closed():
                return found, False
            self._give_way()
        if not self._unopened:
            given = await self._wait()
            if given is not None:
                return given, False
        else:
            self._unopened -= 1
        try:
            return await self._open(), True
        except BaseException:
            self._give_way()
            raise

    async def _wait(self) -> asyncpg.Connection | None:
        """A connection that somebody gives back, or None for the right to open one. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[asyncpg.Connection | None] = loop.create_future()
        self._waiting.append((loop.time() + self._wait_seconds, future))
        if self._timer is None:
            self._timer = loop.call_later(self._wait_seconds, self._give_up)
        try:
            return await future
        except BaseException:
            if future.done() and not future.cancelled() and future.exception() is None:
                found = future.result()
                self._give_way() if found is None else self._release(found)
            raise

    def _give_up(self) -> None:
        """Who has waited too long learns it. One timer is cheaper than one for each."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            until, future = self._waiting[0]
            if until > loop.time():
                self._timer = loop.call_at(until, self._give_up)
                return
            self._waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())

    async def _open(self) -> asyncpg.Connection:
        connection = await connect(
            self._address, self._settings, answer_seconds=self._answer_seconds, statements=self._statements
        )
        self._opened.add(connection)
        return connection

    def _release(self, connection: asyncpg.Connection) -> None:
        if self._left and connection in self._left:
            self._left.discard(connection)
            connection.terminate()
        if connection.is_closed():
            self._give_way()
        elif self._closed:
            connection.terminate()
        else:
            waiting = self._next()
            if waiting is not None:
                waiting.set_result(connection)
            else:
                self._idle.append(connection)

    def _settle(self, connection: asyncpg.Connection) -> None:
        """Give a connection back whose statement was cancelled, once PostgreSQL has let go of it."""
        task = asyncio.get_running_loop().create_task(self._settled(connection))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settled(self, connection: asyncpg.Connection) -> None:
        try:
            # asyncpg has asked for the statement to be cancelled, and waits for that to be over before it sends this.
            await connection.execute("select 1", timeout=CLOSE_SECONDS)
        except BaseException:
            connection.terminate()
            raise
        finally:
            self._release(connection)

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().terminate()
            self._give_way()

    def _give_way(self) -> None:
        """A connection is no more: another may be opened."""
        waiting = self._next()
        if waiting is not None:
            waiting.set_result(None)
        else:
            self._unopened += 1

    def _next(self) -> asyncio.Future[asyncpg.Connection | None] | None:
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                return future
        return None
