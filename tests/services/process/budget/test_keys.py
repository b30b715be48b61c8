"""Keys with a budget of their own: two buckets, of which the one that takes longer is waited for."""

from __future__ import annotations

from random import Random
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from services.catalogue import Actor, Problem
from tests.support.buckets import QUOTA, Counting, refusal, wait, worker
from tests.support.budgets import Clock


@pytest.mark.parametrize("lease_seconds", [2.0, 0.0])
async def test_what_a_key_paid_for_nothing_is_in_its_bucket_again(
    redis: Redis, clock: Clock, payer: Actor, lease_seconds: float
) -> None:
    one = worker(redis, clock, lease_seconds=lease_seconds)
    key = Actor(payer.user_id, key_id=uuid4(), budget=600)
    assert await wait(one, payer, QUOTA - 100) == 0
    for _ in range(20):
        assert await wait(one, key, 500) == 20
    clock.now += 1.5  # Redis is asked again
    assert await wait(one, key, 500) == 19
    clock.now += 19
    assert await wait(one, key, 500) == 0
    assert await refusal(one, key, 120) == (6, "default")
    assert one._accounts[key.key_id].remaining == 100  # of the key's budget, whatever was tried


async def test_key_and_user_that_are_both_short_of_points_are_told_the_longer_wait(
    redis: Redis, clock: Clock, payer: Actor
) -> None:
    one, other = worker(redis, clock), worker(redis, clock)
    key = Actor(payer.user_id, key_id=uuid4(), budget=600)
    assert await wait(one, key, 300) == 0
    assert await wait(one, payer, 900) == 0
    # The key has 300 and 10 a second, its user 0 and 20 a second.
    for asked in (one, other):
        assert await refusal(asked, key, 320) == (16, "default")
        assert await refusal(asked, key, 500) == (25, "default")
        assert await refusal(asked, key, 600) == (30, "key")
    clock.now += 30
    assert await wait(other, key, 600) == 0


async def test_looking_at_the_other_bucket_takes_nothing_and_is_remembered_for_a_second(
    redis: Counting, clock: Clock, payer: Actor
) -> None:
    one, key = worker(redis, clock), Actor(payer.user_id, key_id=uuid4(), budget=600)
    assert await wait(one, payer, QUOTA - 100) == 0
    assert await wait(one, key, 100) == 0
    redis.sent.clear()
    for _ in range(20):
        assert await refusal(one, key, 500) == (25, "default")
    assert redis.sent == ["EVALSHA"]
    clock.now += 25
    assert await wait(one, key, 500) == 0
    assert one._accounts[key.key_id].remaining == 100


@pytest.mark.parametrize("seed", range(12))
async def test_key_that_waits_can_pay_on_any_worker(redis: Redis, clock: Clock, payer: Actor, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - no secret
    workers = [worker(redis, clock) for _ in range(3)]
    key = Actor(payer.user_id, key_id=uuid4(), budget=600)
    told = 0
    for _ in range(60):
        actor, price = chance.choice(
            [(payer, 1), (payer, 400), (payer, 1_100), (key, 1), (key, 90), (key, 599), (key, 600)]
        )
        asked = chance.choice(workers)
        if await wait(asked, actor, price) and chance.random() < 0.7:
            clock.now += 1  # so that Redis is asked
            seconds = await wait(asked, actor, price)
            if seconds:
                clock.now += seconds
                told += 1
                assert await wait(chance.choice(workers), actor, price) == 0, (actor is key, price, seconds)
        clock.now += chance.choice([0, 0.25, 1.875, 2.125, 10])
    assert told > 5


async def test_price_that_a_key_can_never_pay_is_none_to_wait_for(redis: Redis, clock: Clock, payer: Actor) -> None:
    one, key = worker(redis, clock), Actor(payer.user_id, key_id=uuid4(), budget=300)
    assert await wait(one, payer, QUOTA) == 0
    assert await wait(one, payer, 100) == 5
    with pytest.raises(Problem) as refused:
        await one.charge(key, "", 301, "rest")
    assert (refused.value.type.code, refused.value.extra["limit"]) == ("too_complex", 300)
