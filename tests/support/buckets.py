"""Workers that share buckets, without applications around them, and what they are told to wait."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.catalogue import Actor, Problem
from services.process.breaker import Breaker
from services.process.budget.buckets import SharedBuckets
from services.process.budget.budget import Budget
from tests.support.budgets import Clock

QUOTA = 1_200
"""20 a second; a lease is 60 at the most, and may be spent for two seconds."""


class Counting(Redis):
    """Redis, and the commands that this client sent; the server's statistics know those of other tests too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sent: list[str] = []

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.sent.append(str(args[0]))
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def worker(redis: Redis, clock: Clock, *, lease_seconds: float = 2.0, **config: Any) -> Budget:
    buckets = SharedBuckets(redis, Breaker(), clock, lease_seconds)
    return Budget(buckets, lambda *_, **__: None, clock=clock, **{"per_minute": QUOTA, **config})


async def wait(budget: Budget, actor: Actor, price: int) -> int:
    """The seconds that a refused price has to wait; 0 where it was paid."""
    try:
        await budget.charge(actor, "", price, "rest")
    except Problem as problem:
        found = problem
    else:
        return 0
    assert (found.type.code, found.extra["cost"]) == ("quota_exceeded", price)
    assert found.retry_after is not None
    return found.retry_after


async def refusal(budget: Budget, actor: Actor, price: int) -> tuple[int | None, Any]:
    """The seconds that a price has to wait that is refused, and whose budget is told to be short of points."""
    with pytest.raises(Problem) as refused:
        await budget.charge(actor, "", price, "rest")
    return refused.value.retry_after, refused.value.extra["policy"]
