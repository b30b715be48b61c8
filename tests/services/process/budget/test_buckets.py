"""Buckets in Redis, leases of them, and what a worker does on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.catalogue import ANONYMOUS, Actor, Problem
from services.process.breaker import Breaker
from services.process.budget.buckets import BucketReply, BudgetPolicy, SharedBuckets, budget_policy
from services.process.budget.budget import Budget
from tests.support.budgets import Clock, anywhere

QUOTA = 1_200
"""20 a second; a lease is 60 at the most."""


@dataclass(slots=True)
class Counted(SharedBuckets):
    """Counts how often Redis is asked, which can be switched off."""

    asked: list[tuple[str, int, int]] = field(default_factory=list)
    down: bool = False

    async def take(self, asked: Sequence[tuple[str, BudgetPolicy, int]], price: int) -> list[BucketReply]:
        self.asked += [(key, price, back) for key, _, back in asked]
        if self.down:
            self.breaker._until = float("inf")
        elif self.breaker._until == float("inf"):
            self.breaker._until = 0.0
        return await SharedBuckets.take(self, asked, price)


@pytest.mark.parametrize(
    ("per_minute", "burst", "shown"),
    [
        (120_000, 60, "q=120000;w=60"),
        (600, 10, "q=100;w=10"),
        (1, 60, "q=1;w=60"),
        (1, 1, "q=1;w=60"),
        (7, 600, "q=70;w=600"),
    ],
)
def test_policy_holds_what_the_burst_brings_and_fills_as_fast_as_is_said(
    per_minute: int, burst: int, shown: str
) -> None:
    policy = budget_policy("default", per_minute, burst)
    assert policy.shown.decode() == f'"default";{shown}'
    assert policy.rate * 60 == pytest.approx(per_minute)


@dataclass
class Meter:
    """What was counted."""

    points: int = 0
    refusals: int = 0
    alone: int = 0

    def count(self, event: str, face: str, points: int = 1) -> None:
        name = {"charged": "points", "refused": "refusals", "local": "alone"}[event]
        setattr(self, name, getattr(self, name) + points)


@dataclass
class Worker:
    """A worker's budgets."""

    budget: Budget
    buckets: Counted
    meter: Meter

    async def pays(self, actor: Actor, price: int, address: str = "") -> bool:
        """Whether a request is paid."""
        try:
            await self.budget.charge(actor, address, price, "rest")
        except Problem:
            return False
        return True


def worker(redis: Redis, clock: Clock, *, lease_seconds: float = 2.0, **config: Any) -> Worker:
    buckets, meter = Counted(redis, Breaker(), clock, lease_seconds), Meter()
    limits = {"per_minute": QUOTA, "anonymous_per_minute": QUOTA, **config}
    return Worker(Budget(buckets, meter.count, clock=clock, **limits), buckets, meter)


def somebody() -> Actor:
    return Actor(uuid4())


async def test_redis_is_asked_once_for_a_lease_and_not_for_what_is_paid_of_it(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock), somebody()
    for _ in range(61):
        assert await one.pays(payer, 1)
    assert [(price, back) for _, price, back in one.buckets.asked] == [(1, 0)]
    assert await one.pays(payer, 1)
    assert len(one.buckets.asked) == 2


async def test_without_leases_redis_is_asked_every_time(redis: Redis, clock: Clock) -> None:
    one, other = [worker(redis, clock, lease_seconds=0.0) for _ in range(2)]
    payer = somebody()
    assert [await each.pays(payer, 300) for each in (one, other, one, other, one)] == [True] * 4 + [False]
    assert len(one.buckets.asked) == 3


async def test_lease_that_is_over_goes_back(redis: Redis, clock: Clock) -> None:
    one, other, payer = worker(redis, clock), worker(redis, clock), somebody()
    assert await one.pays(payer, 1100)
    (account,) = one.budget._accounts.values()
    assert (account.points, account.left) == (25, 75)  # a quarter of what was left
    assert not await other.pays(payer, 90)
    clock.now += 2
    assert account.points == 25
    assert await one.pays(payer, 100)
    assert one.buckets.asked[-1][1:] == (100, 25)
    # 40 points have come in two seconds: 100 + 40 - 100 are left, some of them leased.
    assert account.points + account.left == 40


async def test_leases_are_smaller_the_less_is_left_and_the_more_workers_there_are(redis: Redis, clock: Clock) -> None:
    workers, payer = [worker(redis, clock) for _ in range(4)], somebody()
    for each in workers:
        assert await each.pays(payer, 200)
    leases = [each.budget._accounts[payer.user_id].points for each in workers]
    # 1000 / 4, 740 / 8, 480 / 12, 240 / 16; and not above 60.
    assert leases == [60, 60, 40, 15]


async def test_all_that_is_paid_at_once_was_in_the_bucket(redis: Redis, clock: Clock) -> None:
    workers, payer = [worker(redis, clock) for _ in range(3)], somebody()
    prices = [1 + number * 17 % 39 for number in range(300)]

    async def paid(number: int, price: int) -> int:
        return price if await workers[number % 3].pays(payer, price) else 0

    spent = sum(await asyncio.gather(*(paid(n, price) for n, price in enumerate(prices))))
    leased = sum(each.budget._accounts[payer.user_id].points for each in workers)
    left = float((await redis.hget(f"budget2:usr:{payer.user_id.hex}", "points")) or 0)  # type: ignore[union-attr]
    assert spent + leased + left == QUOTA
    assert spent == sum(each.meter.points for each in workers)
    assert leased <= 3 * 60


async def test_worker_that_is_refused_asks_again_after_a_second_at_the_latest(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock), somebody()
    assert await one.pays(payer, QUOTA)
    for _ in range(100):
        assert not await one.pays(payer, 500)
    assert len(one.buckets.asked) == 2
    assert one.meter.refusals == 100
    clock.now += 1
    assert not await one.pays(payer, 500)
    assert len(one.buckets.asked) == 3
    assert await one.pays(payer, 20)


async def test_those_used_last_are_remembered(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock, remembered=10), somebody()
    for _ in range(30):
        assert await one.pays(payer, 100 if not one.buckets.asked else 1)
        assert await one.pays(ANONYMOUS, 1, anywhere())
        clock.now += 3
    assert len(one.budget._accounts) == 10
    assert payer.user_id in one.budget._accounts


async def test_without_redis_a_worker_counts_its_share(redis: Redis, clock: Clock) -> None:
    workers, payer, bob = [worker(redis, clock) for _ in range(2)], somebody(), somebody()
    for each in workers * 2:  # so that each has heard of the other
        assert await each.pays(payer, 100)
    for each in workers:
        each.buckets.down = True
        clock.now += 60
        # What was left is known, and has refilled; of what was never asked for, all is there: each has half of it.
        assert await each.pays(payer, 600)
        assert await each.pays(bob, 600)
        assert not await each.pays(payer, 10)
        assert not await each.pays(bob, 10)
        clock.now += 1
        assert await each.pays(payer, 10)
        assert not await each.pays(payer, 10)
        assert each.meter.alone == 6


async def test_worker_alone_knows_what_was_left(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock), somebody()
    assert await one.pays(payer, QUOTA)
    one.buckets.down = True
    assert not await one.pays(payer, 1)
    clock.now += 0.5
    assert await one.pays(payer, 10)
    assert not await one.pays(payer, 1)


async def test_large_request_is_owed_for_where_a_share_is_too_small(redis: Redis, clock: Clock) -> None:
    workers, payer = [worker(redis, clock) for _ in range(2)], somebody()
    for each in workers:
        assert await each.pays(somebody(), 1)
    workers[1].buckets.down = True
    assert await workers[1].pays(payer, 1000)  # of 600
    clock.now += 39
    assert not await workers[1].pays(payer, 1)
    clock.now += 2
    assert await workers[1].pays(payer, 1)


async def test_worker_alone_goes_back_to_redis(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock), somebody()
    one.buckets.down = True
    assert await one.pays(payer, QUOTA)
    assert not await one.pays(payer, 1)
    one.buckets.down = False
    assert await one.pays(payer, 1)
    assert one.budget._accounts[payer.user_id].local is None


async def test_budget_that_is_off_charges_nobody(redis: Redis, clock: Clock) -> None:
    one = worker(redis, clock, per_minute=0)
    assert await one.budget.charge(somebody(), "", 10**9, "rest") is None
    assert one.budget.is_on
    assert await one.pays(ANONYMOUS, QUOTA, anywhere())
    key = Actor(uuid4(), key_id=uuid4(), budget=60)
    assert await one.pays(key, 60)
    assert not await one.pays(key, 60)
    assert not worker(redis, clock, per_minute=0, anonymous_per_minute=0).budget.is_on


async def test_lease_that_comes_back_late_is_nothing_to_spend_besides(redis: Redis, clock: Clock) -> None:
    workers, payer = [worker(redis, clock) for _ in range(3)], somebody()
    for each in workers:
        assert await each.pays(payer, 1)
    clock.now += 59
    assert await workers[0].pays(payer, QUOTA - 3 * 60)
    assert not await workers[0].pays(payer, 61)  # what the others have leased may have been spent
    assert [await each.pays(payer, 60) for each in workers] == [True, True, True]
    assert not any([await each.pays(payer, 1) for each in workers])
    clock.now += 3_600
    assert [await each.pays(payer, QUOTA) for each in workers] == [True, False, False]


async def test_lease_that_never_comes_back_is_forgotten_when_the_bucket_is_full_without_it(
    redis: Redis, clock: Clock
) -> None:
    one, other, payer = worker(redis, clock), worker(redis, clock), somebody()
    assert await one.pays(payer, 1)
    clock.now += 61
    assert await other.pays(payer, QUOTA)
    assert not await one.pays(payer, 1)


async def test_bucket_is_forgotten_once_it_is_full(redis: Redis, clock: Clock) -> None:
    one, payer = worker(redis, clock), somebody()
    assert await one.pays(payer, 400)
    assert payer.user_id is not None
    assert 58 <= await redis.ttl(f"budget2:usr:{payer.user_id.hex}") <= 61
