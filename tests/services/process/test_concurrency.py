"""Requests of one caller at the same time: so many and no more, counted apart, given back in every way they can end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from gateway.settings import Settings
from services.catalogue import ANONYMOUS
from services.catalogue.problems import Problem
from services.engine.gateway import Gateway
from services.process.concurrency import Concurrency
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, running
from tests.support.faces import Face

MOST = 2


@pytest.fixture(scope="module")
async def narrow(settings: Settings) -> AsyncIterator[Running]:
    """A gateway that answers two requests of one caller at a time."""
    async with running(settings.model_copy(update={"MAX_CONCURRENT_REQUESTS": MOST})) as found:
        yield found


@pytest.fixture(params=FACES)
def here(narrow: Running, request: pytest.FixtureRequest) -> Face:
    """Each face of it."""
    return narrow.face(request.param)


@pytest.fixture
async def somebody(narrow: Running) -> Account:
    """Somebody signed in there."""
    return await sign_up(narrow.client)


def counted(narrow: Running) -> dict[Any, int]:
    return narrow.gateway.part(Concurrency).running


@asynccontextmanager
async def locked(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Nobody gets at items while the block lasts."""
    holder = await asyncpg.connect(settings.database_url)
    try:
        async with holder.transaction():
            await holder.execute("lock table items in access exclusive mode")
            yield holder
    finally:
        await holder.close()


async def running_now(narrow: Running, number: int) -> None:
    """Wait until so many requests are counted."""
    async with asyncio.timeout(4):
        while sum(counted(narrow).values()) < number:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def test_one_more_than_allowed_is_told_to_wait(
    narrow: Running, here: Face, somebody: Account, settings: Settings
) -> None:
    other = await sign_up(narrow.client)
    async with locked(settings):
        held = [asyncio.ensure_future(here.call("list_items", somebody)) for _ in range(MOST)]
        await running_now(narrow, MOST)
        for name, data in (("list_items", None), ("me", None), ("create_item", {"title": "Never"})):
            answer = await here.call(name, somebody, data)
            assert (answer.problem, answer.status) == ("too_many_requests", 429)
            assert answer.members is not None
            assert answer.members["retry_after"] == 1
            assert answer.members["detail"] == "At most 2 requests of one caller are answered at the same time."
        assert (await here.call("me", other)).problem is None
        assert counted(narrow) == {somebody.key.int: MOST}
    assert [(await each).problem for each in held] == [None] * MOST
    assert counted(narrow) == {}
    assert (await here.ok("list_items", somebody))["data"] == []


async def test_header_says_when_to_come_again(narrow: Running, somebody: Account, settings: Settings) -> None:
    rest = narrow.face("rest")
    async with locked(settings):
        held = [asyncio.ensure_future(rest.call("list_items", somebody)) for _ in range(MOST)]
        await running_now(narrow, MOST)
        shown = [
            await narrow.client.get("/api/v1/users/me", headers=somebody.headers),
            await narrow.client.post("/graphql", json={"query": "{ me { id } }"}, headers=somebody.headers),
        ]
    await asyncio.gather(*held)
    assert [(each.status_code, each.headers["retry-after"]) for each in shown] == [(429, "1")] * 2


async def test_place_is_given_back_by_who_leaves_and_who_fails(
    narrow: Running, here: Face, somebody: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with locked(settings):
        held = [asyncio.ensure_future(here.call("list_items", somebody)) for _ in range(MOST)]
        await running_now(narrow, MOST)
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert counted(narrow) == {}

    async def broken(*_: object, **__: object) -> None:
        raise LookupError

    with monkeypatch.context() as patch:
        for name in ("read", "page"):
            patch.setattr(Gateway, name, broken)
        patch.setattr("services.reader.reader.Reader.read", broken)
        for _ in range(MOST + 1):
            assert (await here.call("list_items", somebody)).problem == "internal_error"
    assert counted(narrow) == {}


async def test_who_leaves_before_the_body_is_there_gives_the_place_back(narrow: Running, somebody: Account) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/api/v1/items", "query_string": b"",
        "headers": [(b"authorization", somebody.headers["Authorization"].encode()), (b"content-length", b"9")],
        "client": ("192.0.2.1", 1),
    }  # fmt: skip
    for _ in range(MOST + 1):
        await narrow.app(scope, receive, send)
    assert counted(narrow) == {}


def test_anonymous_callers_are_counted_by_their_network() -> None:
    concurrency = Concurrency(1)
    with concurrency.slot(ANONYMOUS, "2001:db8::1"):
        with pytest.raises(Problem) as raised, concurrency.slot(ANONYMOUS, "2001:db8::2"):
            pass
        with concurrency.slot(ANONYMOUS, "2001:db8:0:1::1"), concurrency.slot(ANONYMOUS, "192.0.2.1"):
            assert len(concurrency.running) == 3
    assert raised.value.type.code == "too_many_requests"
    assert concurrency.running == {}
