"""Two things at once in an order that is certain: one has come to wait for a lock before the other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue import Actor, Call
from services.engine.gateway import Gateway
from services.storage.base import utc_now
from services.storage.rows import load_for_update
from tests.support.accounts import Account

WAIT_SECONDS: Final = 4
_WAITING: Final = text(
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


async def held_up(gateway: Gateway, awaited: Awaitable[Any], *, number: int = 1) -> asyncio.Future[Any]:
    """Start something; returns once it waits for a lock, as one of `number` in all. It must not end before."""
    task = asyncio.ensure_future(awaited)
    async with asyncio.timeout(WAIT_SECONDS), gateway.database.probe.connect() as connection:
        while (await connection.execute(_WAITING)).scalar_one() < number:
            assert not task.done(), task
            await connection.rollback()
            await asyncio.sleep(0.005)
    return task


@asynccontextmanager
async def loaded(gateway: Gateway, account: Account, noun: str, key: UUID, action: str) -> AsyncIterator[AsyncSession]:
    """A unit of work of the account that has loaded a row for an action, as operations do, and is not at its end yet.

    Without a commit it is rolled back.
    """
    async with gateway.database.unit_of_work() as session:
        call = Call(Actor(account.key), session, utc_now(), gateway.parts)
        await load_for_update(call, gateway.catalogue.resources[noun], key, action)
        yield session
