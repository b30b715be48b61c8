"""Redis, a clock that only the test moves, and a user without applications around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from gateway.settings import Settings
from services.catalogue import Actor
from tests.support.buckets import Counting
from tests.support.budgets import Clock


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Counting]:
    """A connection to the Redis of this process's tests, without leases of earlier ones."""
    async with Counting.from_url(settings.redis_url) as client:
        assert isinstance(client, Counting)
        await client.delete("budget-workers")
        client.sent.clear()
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def payer() -> Actor:
    return Actor(uuid4())
