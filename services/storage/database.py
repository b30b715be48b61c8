"""The connection pool, sessions for reading and units of work for writing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from services import observation


def _count_statement(*_: Any) -> None:
    current = observation.current()
    if current is not None:
        current.statements += 1


class Database:
    """One PostgreSQL database. `url` is SQLAlchemy's, with the driver asyncpg; `pool_size` the most connections kept.

    Every statement is counted in the current observation.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={"timeout": 5, "server_settings": {"application_name": "hybrid-gateway", "jit": "off"}},
        )
        event.listen(self.engine.sync_engine, "before_cursor_execute", _count_statement)
        self._write = async_sessionmaker(self.engine, expire_on_commit=False)
        # Reading needs no transaction: one statement is one snapshot, and BEGIN and ROLLBACK are two round trips.
        self._read = async_sessionmaker(
            self.engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False, autoflush=False
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session of its own for one sequence of reads; never shared between tasks."""
        async with self._read() as session:
            yield session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """A session in a transaction that is rolled back unless the holder commits."""
        async with self._write() as session:
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
