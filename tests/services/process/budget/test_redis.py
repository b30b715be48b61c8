"""Redis stopped and started again under a gateway with budgets, and what the operator is told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from gateway import metrics
from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running
from tests.support.budgets import Clock, ask, budget_of, budgeted

FACES = ["rest", "graphql"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def alone(
    settings: Settings, valkey: Valkey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """A worker with budgets, on a Redis of its own, that counts."""
    monkeypatch.setattr(metrics, "_series", {})
    async with budgeted(settings, clock, REDIS_URL=valkey.url, METRICS=True) as found:
        yield found


@pytest.fixture
async def ada(alone: Running) -> Account:
    return await sign_up(alone.client)


async def counted(client: AsyncClient) -> dict[str, float]:
    """What `/metrics` says of budgets, by name and face, where it is more than nothing."""
    text = (await client.get("/metrics")).text
    found = re.findall(r'^gateway_budget_(\w+)_total\{face="(\w+)"\} (.*)$', text, re.MULTILINE)
    assert len(found) == 6, text
    return {f"{name} {face}": float(value) for name, face, value in found if float(value)}


async def test_charges_are_counted_by_face(alone: Running, ada: Account, clock: Clock) -> None:
    assert await counted(alone.client) == {"points rest": 100.0}  # signing up and in
    for face in FACES:
        assert (await ask(alone.client, face, ada, 99)).status_code == 200
        assert (await ask(alone.client, face, None, 99)).status_code == (401 if face == "rest" else 200)
    for _ in range(4):
        assert (await ask(alone.client, "graphql", ada, 99)).status_code == 200
    assert (await ask(alone.client, "graphql", ada, 9)).status_code == 429
    expected = {"points rest": 200.0, "points graphql": 600.0, "refusals graphql": 1.0}
    assert await counted(alone.client) == expected


async def test_requests_go_on_without_redis_within_the_workers_own_count(
    alone: Running, ada: Account, clock: Clock, valkey: Valkey, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await ask(alone.client, "rest", ada, 99)).status_code == 200
    valkey.stop()
    clock.now += 1.5  # 470 were left beside a lease, and 15 have come
    statuses = [(await ask(alone.client, face, ada, 99)).status_code for face in FACES * 3]
    assert statuses == [200] * 4 + [429] * 2
    last = await ask(alone.client, "rest", ada, 99)
    assert 1 <= int(last.headers["retry-after"]) <= 10
    found = await counted(alone.client)
    assert found["local rest"] + found["local graphql"] == 7
    log = capsys.readouterr().err
    assert log.count('"event":"budget_local"') == 1

    valkey.start()
    await answers_again(alone, ada)
    assert (await ask(alone.client, "graphql", ada, 99)).headers["ratelimit-policy"]
    assert (await counted(alone.client)).get("local graphql") is not None
    assert capsys.readouterr().err.count('"event":"budget_shared_again"') == 1


async def answers_again(alone: Running, ada: Account) -> None:
    """Redis is asked again, which the breaker lets happen after a pause."""
    budget, deadline = budget_of(alone), time.monotonic() + 20
    while budget._local:
        assert time.monotonic() < deadline, "Redis is not asked any more"
        await ask(alone.client, "rest", ada, 99)
        await asyncio.sleep(0.02)
