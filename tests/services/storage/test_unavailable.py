"""Too few connections, locks that are held too long, connections that are gone: said so, and got over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
from httpx import Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.storage import database
from services.storage.database import SERVER_SETTINGS
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, running
from tests.support.faces import CallResult, Face
from tests.support.factories import Row, key_of, make_item
from tests.support.races import held_up, loaded
from tests.support.state import unchanged

NAME: Final = f"small-{uuid4().hex[:8]}"
KILL: Final = text("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = :name")
KILL_WAITING: Final = text(
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
async def small(settings: Settings) -> AsyncIterator[Running]:
    """Two connections of each kind, waited for a moment, and locks waited for no longer."""
    sizes = {"DATABASE_POOL_SIZE": 2, "DATABASE_READ_POOL_SIZE": 2}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "WAIT_SECONDS", 0.05)
        changed = {**SERVER_SETTINGS, "lock_timeout": "50ms", "application_name": NAME}
        patched.setattr(database, "SERVER_SETTINGS", changed)
        stack = AsyncExitStack()
        found = await stack.enter_async_context(running(settings.model_copy(update=sizes)))
    yield found
    await stack.aclose()


@pytest.fixture(params=FACES)
def here(small: Running, request: pytest.FixtureRequest) -> Face:
    """Each face of it."""
    return small.face(request.param)


@pytest.fixture
async def somebody(small: Running) -> Account:
    """Somebody whose session is known without asking the database."""
    found = await sign_up(small.client)
    await small.face("rest").ok("me", found)
    return found


@asynccontextmanager
async def exhausted(small: Running) -> AsyncIterator[None]:
    """While the block runs, every connection is in use."""
    engine = small.gateway.database.engine
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(engine.connect())
            if small.gateway.reader is not None:
                await stack.enter_async_context(small.gateway.reader.pool.connection())
        yield


def expect_unavailable(answer: CallResult) -> None:
    assert (answer.problem, answer.status) == ("unavailable", 503)
    assert answer.members is not None
    assert answer.members["retry_after"] == 1
    assert answer.members["detail"] == "The service is not available at the moment."


CALLS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "read": ("me", None),
    "list": ("list_items", None),
    "write": ("create_item", {"title": "Never"}),
    "sign in": ("login", {"username": "nobody", "password": "wrong horse"}),
}


@pytest.mark.parametrize(("operation", "data"), CALLS.values(), ids=CALLS)
async def test_exhausted_pool_is_unavailable(
    small: Running, here: Face, somebody: Account, gateway: Gateway, operation: str, data: dict[str, Any] | None
) -> None:
    async with unchanged(gateway), exhausted(small):
        expect_unavailable(await here.call(operation, somebody, data))
    assert (await here.call("me", somebody)).problem is None


async def test_unknown_session_is_unavailable_too_and_not_refused(small: Running, here: Face, gateway: Gateway) -> None:
    new = await sign_up(small.client)
    async with exhausted(small):
        expect_unavailable(await here.call("me", new))
    assert (await here.ok("me", new))["id"] == new.id


async def test_header_says_when_to_come_again(small: Running, somebody: Account) -> None:
    async with exhausted(small):
        shown: list[Response] = [
            await small.client.get("/api/v1/users/me", headers=somebody.headers),
            await small.client.post("/graphql", json={"query": "{ me { id } }"}, headers=somebody.headers),
        ]
    assert [(each.status_code, each.headers.get("retry-after")) for each in shown] == [(503, "1"), (200, "1")]


async def test_ready_however_busy_the_pool_is(small: Running) -> None:
    async with exhausted(small):
        answer = await small.client.get("/health/ready")
    up = {"database": "up", "migrations": "up", "redis": "up"}
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": up})


async def test_request_waits_for_a_connection_that_comes_in_time(small: Running, somebody: Account) -> None:
    face = small.face("rest")
    answers = await asyncio.gather(*(face.call("me", somebody) for _ in range(6)))
    assert [answer.problem for answer in answers] == [None] * 6


async def test_lock_that_is_held_too_long_is_unavailable(here: Face, somebody: Account, gateway: Gateway) -> None:
    item = await make_item(here, somebody)
    async with loaded(gateway, somebody, "item", key_of(item["id"]), "update"):
        expect_unavailable(await here.call("update_item", somebody, {"title": "Changed"}, id=item["id"]))
    assert await here.ok("get_item", somebody, id=item["id"]) == item
    assert (await here.ok("update_item", somebody, {"title": "Changed"}, id=item["id"]))["version"] == 2


async def kill(gateway: Gateway) -> int:
    """Cut every connection of the small application, as a restart of PostgreSQL does."""
    async with gateway.database.probe.connect() as connection:
        return int((await connection.execute(KILL, {"name": NAME})).scalar_one())


@pytest.mark.parametrize(("operation", "data"), [("me", None), ("list_items", None), ("create_item", {"title": "Now"})])
async def test_next_request_after_lost_connections_succeeds(
    small: Running, here: Face, somebody: Account, gateway: Gateway, operation: str, data: dict[str, Any] | None
) -> None:
    async with exhausted(small):
        pass  # all connections are open now
    assert await kill(gateway) == (2 if small.gateway.reader is None else 4)
    await here.ok(operation, somebody, data)
    assert await kill(gateway) >= 1
    answers = await asyncio.gather(*(here.call(operation, somebody, data) for _ in range(2)))
    assert [answer.problem for answer in answers] == [None, None]


@pytest.fixture
async def item(face: Face, ada: Account) -> Row:
    """An item."""
    return await make_item(face, ada)


async def test_connection_lost_in_the_midst_is_unavailable(
    face: Face, ada: Account, gateway: Gateway, item: Row
) -> None:
    async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
        task = await held_up(gateway, face.call("update_item", ada, {"title": "Changed"}, id=item["id"]))
        async with gateway.database.probe.connect() as connection:
            assert (await connection.execute(KILL_WAITING)).scalar_one() == 1
        expect_unavailable(await task)
    assert await face.ok("get_item", ada, id=item["id"]) == item


async def test_what_may_have_been_committed_is_not_done_again(
    rest: Face, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, write, done = AsyncSession.commit, Gateway._write, []

    async def committed_but_not_heard(session: AsyncSession) -> None:
        await commit(session)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    async def noted(self: Gateway, operation: Any, *arguments: Any) -> Any:
        done.append(operation.name)
        return await write(self, operation, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(AsyncSession, "commit", committed_but_not_heard)
        patch.setattr(Gateway, "_write", noted)
        expect_unavailable(await rest.call("logout", ada))
    assert done == ["logout"]
