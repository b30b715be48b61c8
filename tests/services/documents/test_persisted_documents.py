"""What clients persist, seen from Redis: bounded, asked once, and done without while it is down."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Problem
from services.documents.config import DocumentsConfig
from services.documents.persisted import INDEX, TEXTS, PersistedDocuments
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.documents import fresh, hash_of, persisted_query
from tests.support.remembered import warmed, with_redis


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as found:
        yield found


@pytest.fixture
async def alone(settings: Settings, valkey: Valkey) -> AsyncIterator[Running]:
    """An application on a Redis of its own."""
    async with running(with_redis(settings, valkey.url, PERSISTED_WRITES="3/minute")) as found:
        yield found


@pytest.fixture
async def ada(alone: Running) -> Account:
    return await sign_up(alone.client)


async def outcome(worker: Running, text: str, account: Account, *, whole: bool = False) -> str:
    """`data`, or the code of the first error."""
    body = persisted_query(text, send=whole)
    answer = (await worker.client.post("/graphql", json=body, headers=account.headers)).json()
    return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "data"


async def test_warm_document_costs_no_round_trip_to_redis(alone: Running, ada: Account) -> None:
    text = fresh()
    assert await outcome(alone, text, ada, whole=True) == "data"
    await warmed(alone, ada)

    async def asked() -> Counter[str]:
        stats = await alone.gateway.part(Redis).info("commandstats")
        aside = {"cmdstat_ping", "cmdstat_info"}
        return Counter({name: each["calls"] for name, each in stats.items() if name not in aside})

    before = await asked()
    for whole in (False, False, True):
        assert await outcome(alone, text, ada, whole=whole) == "data"
    assert await asked() == before


async def test_without_redis_documents_are_sent_whole_and_nothing_fails(
    alone: Running, ada: Account, valkey: Valkey
) -> None:
    known, other, new = fresh(), fresh(), fresh()
    assert await outcome(alone, known, ada, whole=True) == "data"
    valkey.stop()
    assert await outcome(alone, known, ada) == "data"
    assert await outcome(alone, other, ada) == "PERSISTED_QUERY_NOT_FOUND"
    assert await outcome(alone, other, ada, whole=True) == "data"
    assert await outcome(alone, other, ada) == "data"
    # Each worker counts by itself, so that nobody fills its memory either.
    texts = [fresh() for _ in range(3)]
    for text in texts:
        assert await outcome(alone, text, ada, whole=True) == "data"
    found = [await outcome(alone, text, ada) for text in texts]
    assert found == ["data", "data", "PERSISTED_QUERY_NOT_FOUND"]
    valkey.start()
    assert await outcome(alone, new, ada) == "PERSISTED_QUERY_NOT_FOUND"


def keeper(redis: Redis, **bounds: Any) -> PersistedDocuments:
    return PersistedDocuments(redis, DocumentsConfig(writes="1000/minute", **bounds))


async def keep(documents: PersistedDocuments, *texts: str) -> None:
    for text in texts:
        await documents.keep(hash_of(text), text, ANONYMOUS, "192.0.2.1")


async def kept(redis: Redis) -> set[str]:
    """The texts that Redis has; what it has noted of them must be right."""
    found: Any = await redis.hgetall(TEXTS)
    held = int(found.pop(b"bytes", b"0"))
    assert held == sum(len(each) for each in found.values())
    assert set(await redis.zrange(INDEX, 0, -1)) == set(found)
    return {each.decode() for each in found.values()}


async def test_oldest_makes_room_when_there_are_too_many(redis: Redis) -> None:
    documents = keeper(redis, documents=2)
    await keep(documents, "a", "bb")
    await redis.zadd(INDEX, {hash_of("a"): 1_999_999_999, hash_of("bb"): 1_999_999_998})
    await keep(documents, "ccc")
    assert await kept(redis) == {"a", "ccc"}


async def test_oldest_make_room_when_they_take_too_much(redis: Redis) -> None:
    documents = keeper(redis, total_bytes=10)
    await keep(documents, "aaaa", "bbbb", "é")
    assert await kept(redis) == {"aaaa", "bbbb", "é"}
    await redis.zadd(INDEX, {hash_of("é"): 1_999_999_999})
    await keep(documents, "cccccc")
    assert await kept(redis) == {"é", "cccccc"}


async def test_documents_are_kept_for_their_time(redis: Redis) -> None:
    documents = keeper(redis, seconds=100)
    await keep(documents, "a", "b")
    assert 0 < await redis.ttl(TEXTS) <= 100
    assert 0 < await redis.ttl(INDEX) <= 100
    await redis.zadd(INDEX, {hash_of("a"): 1})
    await keep(documents, "c")
    assert await kept(redis) == {"b", "c"}


@pytest.mark.parametrize("gone", [TEXTS, INDEX])
async def test_half_of_it_evicted_begins_anew(redis: Redis, gone: str) -> None:
    documents = keeper(redis, documents=2)
    await keep(documents, "a", "b")
    await redis.delete(gone)
    await keep(documents, "c")
    assert await kept(redis) == {"c"}


async def test_same_document_is_kept_once(redis: Redis) -> None:
    await keep(keeper(redis), "a")
    await keep(keeper(redis), "a")
    assert await kept(redis) == {"a"}


async def test_full_redis_keeps_nobody_from_being_answered(redis: Redis) -> None:
    await redis.config_set("maxmemory", 1)
    documents = keeper(redis)
    await keep(documents, "a")
    assert await documents.find(hash_of("a")) == "a"
    await redis.config_set("maxmemory", 0)
    assert await kept(redis) == set()


async def test_worker_remembers_no_more_than_its_share(redis: Redis) -> None:
    documents = keeper(redis, document_bytes=10, remembered_bytes=1_000)
    texts = [f"{number:010}" for number in range(50)]
    await keep(documents, *texts)
    assert [documents.remembered(hash_of(each)) is not None for each in texts] == [False] * 46 + [True] * 4
    assert await documents.find(hash_of(texts[0])) == texts[0]


async def test_writes_are_counted_by_actor_and_address(redis: Redis) -> None:
    documents = PersistedDocuments(redis, DocumentsConfig(writes="1/minute"))
    await keep(documents, "a")
    with pytest.raises(Problem) as refused:
        await keep(documents, "b")
    assert (refused.value.type.code, refused.value.retry_after is not None) == ("too_many_requests", True)
    await documents.keep(hash_of("b"), "b", ANONYMOUS, "192.0.2.2")
    assert await kept(redis) == {"a", "b"}


async def test_bounds_are_those_that_are_set(settings: Settings, valkey: Valkey) -> None:
    bounds = {"PERSISTED_DOCUMENTS": 2, "PERSISTED_HOURS": 1, "PERSISTED_BYTES": 1_000, "PERSISTED_DOCUMENT_BYTES": 600}
    async with running(with_redis(settings, valkey.url, **bounds)) as worker:
        ada, redis = await sign_up(worker.client), worker.gateway.part(Redis)
        for text in (fresh() for _ in range(3)):
            assert await outcome(worker, text, ada, whole=True) == "data"
        assert len(await kept(redis)) == 2
        assert 3_500 < await redis.ttl(TEXTS) <= 3_600
        long = [fresh() + " " * 500 for _ in range(2)]
        for text in (*long, fresh() + " " * 600):
            assert await outcome(worker, text, ada, whole=True) == "data"
        found = await kept(redis)
        assert [each for each in found if len(each) > 500] == [long[1]]
        assert sum(len(each) for each in found) <= 1_000
