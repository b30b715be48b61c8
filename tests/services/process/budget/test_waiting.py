"""How long a refused caller is told to wait: with that it can pay, whatever other workers have leased."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

import pytest
from redis.asyncio import Redis

from services.catalogue import Actor
from services.process.budget.budget import Budget
from tests.support.buckets import QUOTA, wait, worker
from tests.support.budgets import Clock


async def waits(workers: Sequence[Budget], actor: Actor, price: int) -> list[int]:
    return [await wait(each, actor, price) for each in workers]


@pytest.fixture
async def shared(redis: Redis, clock: Clock, payer: Actor) -> list[Budget]:
    """Two workers, of which the second has leased 60 of Ada's points and is not asked again; 1,139 are left."""
    workers = [worker(redis, clock) for _ in range(2)]
    assert await wait(workers[1], payer, 1) == 0
    return workers


async def test_price_beyond_what_is_not_leased_waits_for_the_lease_to_end_and_the_bucket_to_fill(
    shared: list[Budget], clock: Clock, payer: Actor
) -> None:
    # Full beside the lease (1,140) after 0.05 s; the lease ends after 2 s; the last 60 points take 3 s more.
    assert await wait(shared[0], payer, QUOTA) == 5
    clock.now += 4.9
    assert await wait(shared[0], payer, QUOTA) == 1
    clock.now += 0.1
    assert await waits(shared, payer, QUOTA) == [0, 60]


@pytest.mark.parametrize("spent", [0, 20, 59])
async def test_wait_that_one_worker_tells_is_over_on_the_one_whose_lease_it_is(
    shared: list[Budget], clock: Clock, payer: Actor, spent: int
) -> None:
    assert not spent or shared[1].charge_lease(payer, spent, "rest") is not None
    assert await wait(shared[0], payer, QUOTA) == 5
    clock.now += 5
    assert await wait(shared[1], payer, QUOTA) == 0


async def test_wait_that_counts_on_the_end_of_one_lease_of_two_is_over_on_the_worker_of_the_other(
    redis: Redis, clock: Clock, payer: Actor
) -> None:
    workers = [worker(redis, clock) for _ in range(3)]
    assert await waits(workers[1:2], payer, 1) == [0]
    clock.now += 1
    assert await wait(workers[2], payer, 1) == 0
    assert workers[2].charge_lease(payer, 60, "rest") is not None
    # 1,080 are there beside both leases. The first ends in a second: 20 points more in the next, as far as the second
    # lease lets them, which the price leaves room for.
    assert await wait(workers[0], payer, 1_100) == 2
    clock.now += 1.99
    assert await wait(workers[2], payer, 1_100) == 1
    clock.now += 0.01
    assert await wait(workers[2], payer, 1_100) == 0


async def test_what_comes_back_of_a_lease_that_is_over_is_in_the_bucket_again(
    shared: list[Budget], clock: Clock, payer: Actor
) -> None:
    assert await wait(shared[0], payer, 1_100) == 0
    clock.now += 2
    # 39 were left, 4 of them leased by the first; 40 have come; 60 come back.
    assert await wait(shared[1], payer, 136) == 1
    assert await wait(shared[1], payer, 135) == 0


async def test_wait_is_counted_down_however_often_one_asks(shared: list[Budget], clock: Clock, payer: Actor) -> None:
    found = []
    for _ in range(10):
        found.append(await wait(shared[0], payer, QUOTA - 20))
        clock.now += 0.5
    assert found == [4, 4, 3, 3, 2, 2, 1, 1, 0, 59]


async def test_price_that_the_lease_is_not_in_the_way_of_waits_for_points_alone(
    shared: list[Budget], clock: Clock, payer: Actor
) -> None:
    assert await wait(shared[0], payer, 1_100) == 0  # and 9 of the 39 that are left are leased
    assert await wait(shared[0], payer, 239) == 10  # 39 are there, and 20 come in a second
    clock.now += 10
    assert await wait(shared[0], payer, 239) == 0


async def test_several_leases_end_one_after_the_other(redis: Redis, clock: Clock, payer: Actor) -> None:
    workers = [worker(redis, clock) for _ in range(3)]
    assert await wait(workers[1], payer, 1) == 0
    clock.now += 1
    assert await wait(workers[2], payer, 1) == 0
    clock.now += 0.5
    # 1,080 are there beside both. The first ends in half a second, the second a second later: then 1,100, and 5 s.
    assert await wait(workers[0], payer, QUOTA) == 7
    clock.now += 6.25
    assert await wait(workers[0], payer, QUOTA) == 1
    clock.now += 0.25
    assert await wait(workers[0], payer, QUOTA) == 0


async def test_what_was_leased_may_be_spent_until_then_and_is_worth_nothing_afterwards(
    shared: list[Budget], clock: Clock, payer: Actor
) -> None:
    clock.now += 1.75
    assert await wait(shared[0], payer, QUOTA) == 4  # and the lease is left alone, since it can be spent still
    assert await wait(shared[1], payer, 40) == 0
    clock.now += 4
    assert await wait(shared[0], payer, QUOTA) == 0
    assert await wait(shared[1], payer, 20) == 1  # of its 20 points nothing is left
    assert shared[1]._accounts[payer.user_id].points == 0


async def test_no_more_than_the_bucket_and_its_rate_though_a_lease_is_spent_at_its_end(
    redis: Redis, clock: Clock, payer: Actor
) -> None:
    one = worker(redis, clock)
    assert await wait(one, payer, 1) == 0
    clock.now += 1.99
    assert await wait(one, payer, 60) == 0  # all that is leased
    # At once the rest: 1,200 points together, and no more.
    assert await wait(one, payer, 1_141) == 1
    assert await wait(one, payer, 1_140) == 0


async def test_higher_price_than_the_one_refused_a_moment_ago_is_told_its_own_wait(
    shared: list[Budget], clock: Clock, payer: Actor
) -> None:
    assert await wait(shared[0], payer, 1_100) == 0
    assert await wait(shared[0], payer, 139) == 5
    assert await wait(shared[0], payer, 339) == 15
    assert await wait(shared[0], payer, QUOTA) == ceil((QUOTA - 39) / 20)
    clock.now += 59
    assert await wait(shared[0], payer, QUOTA) == 0


async def test_lease_of_a_larger_quota_counts_as_the_largest_of_the_smaller_one(
    redis: Redis, clock: Clock, payer: Actor
) -> None:
    old, new = worker(redis, clock, per_minute=120_000), worker(redis, clock)
    assert await wait(old, payer, 1) == 0
    assert old._accounts[payer.user_id].points == 6_000  # five times what there may be from now on
    clock.now += 1
    assert await wait(new, payer, QUOTA - 60) == 0
    assert await wait(new, payer, 60) == 3
    clock.now += 3
    assert await wait(new, payer, 60) == 0


async def test_many_leases_of_a_larger_quota_are_waited_for_as_long_as_they_may_be_spent(
    redis: Redis, clock: Clock, payer: Actor
) -> None:
    old = [worker(redis, clock, per_minute=120_000) for _ in range(30)]
    assert await waits(old, payer, 1) == [0] * 30
    new = worker(redis, clock)
    # 30 leases of 60 are more than the whole. Those taken together end together, and then an empty bucket fills.
    assert await wait(new, payer, 100) == 2 + 5
    clock.now += 7
    assert await wait(new, payer, 100) == 0


async def test_book_in_another_form_is_forgotten(redis: Redis, clock: Clock, payer: Actor) -> None:
    assert payer.user_id is not None
    key = f"budget2:usr:{payer.user_id.hex}"
    await redis.hset(key, mapping={"points": "100", "at": repr(clock.now), "somebody": f"60@{clock.now}", "x": "?"})
    assert await wait(worker(redis, clock), payer, 100) == 0
    assert set(await redis.hkeys(key)) == {b"points", b"at"}


@pytest.mark.parametrize("seed", range(12))
async def test_who_waits_can_pay_and_nobody_spends_more_than_there_is(
    redis: Redis, clock: Clock, payer: Actor, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - no secret
    workers = [worker(redis, clock) for _ in range(3)]
    spent: list[tuple[float, int]] = []

    async def attempt(asked: Budget, price: int) -> int:
        found = await wait(asked, payer, price)
        if not found:
            spent.append((clock.now, price))
        return found

    for _ in range(60):
        price, asked = chance.choice([1, 7, 50, 300, 1_000, 1_190, QUOTA]), chance.choice(workers)
        if await attempt(asked, price) and chance.random() < 0.5:
            clock.now += 1  # so that Redis is asked, which knows what others have spent just now
            seconds = await attempt(asked, price)
            over = clock.now + seconds
            for _ in range(chance.randrange(3) if seconds else 0):  # who is too early changes nothing
                clock.now += chance.randrange(seconds * 300) / 1_000
                seconds = await attempt(asked, price)
                if not seconds:
                    break
            if seconds:
                clock.now = over
                assert await attempt(asked, price) == 0, price
        clock.now += chance.choice([0, 0.25, 1.875, 2.125, 10])
    for first, (begin, _) in enumerate(spent):
        points = 0
        for end, price in spent[first:]:
            points += price
            assert points <= QUOTA + 20 * (end - begin) + 0.001
