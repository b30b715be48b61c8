"""The connections for reading: read-only, with limits of time, and replaced when they are worth nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from gateway.settings import Settings
from services.catalogue import Problem
from services.reader.pool import ReadPool
from services.storage import database
from services.storage.database import SERVER_SETTINGS


@pytest.fixture
async def pool(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ReadPool]:
    """One connection, on which a statement may take a tenth of a second, and be waited for twice as long."""
    monkeypatch.setattr(database, "SERVER_SETTINGS", {**SERVER_SETTINGS, "statement_timeout": "100ms"})
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    found = ReadPool(settings.database_for_reading, size=1, statements=10)
    yield found
    await found.close()


async def pid(pool: ReadPool) -> int:
    """The process that answers."""
    row = await pool.fetch_row("select pg_backend_pid()", [])
    assert row is not None
    return int(row[0])


async def test_nothing_is_written_through_it(pool: ReadPool) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await pool.fetch_row("delete from users where id = $1 returning 1", [UUID(int=0)])
    assert await pool.fetch_row("select current_setting('default_transaction_read_only')", []) == ("on",)


async def test_statement_that_takes_too_long_is_given_up_and_its_connection_kept(pool: ReadPool) -> None:
    before = await pid(pool)
    with pytest.raises(Problem) as raised:
        await pool.fetch_row("select pg_sleep(5)", [])
    assert (raised.value.type.code, raised.value.retry_after) == ("unavailable", 1)
    assert await pid(pool) == before


async def test_connection_that_does_not_answer_is_replaced(pool: ReadPool) -> None:
    before = await pid(pool)
    # As if nothing came through: PostgreSQL does not give up in time.
    await pool.fetch_row("select set_config('statement_timeout', '0', false)", [])
    with pytest.raises(Problem) as raised:
        await pool.fetch_row("select pg_sleep(5)", [])
    assert raised.value.type.code == "unavailable"
    assert await pid(pool) != before


async def test_reader_who_leaves_does_not_take_the_connection_along(pool: ReadPool) -> None:
    for _ in range(20):
        task = asyncio.create_task(pool.fetch_row("select pg_sleep(0.05)", []))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.fetch_row("select 42", []) == (42,)


async def test_whoever_waits_too_long_for_a_connection_is_told(pool: ReadPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_wait_seconds", 0.02)
    async with pool.connection():
        with pytest.raises(Problem) as raised:
            await pool.fetch_row("select 1", [])
    assert raised.value.type.code == "unavailable"
    assert await pool.fetch_row("select 1", []) == (1,)
