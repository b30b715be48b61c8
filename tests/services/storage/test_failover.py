"""A database that turns read-only under the connections to it, and can be written to again by new ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from gateway.settings import Settings
from services.identity.auth.memory import CredentialCache
from services.storage import database
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, running
from tests.support.databases import run_sql
from tests.support.factories import make_item, make_key
from tests.support.state import state
from tests.support.two_paths import cloned_database

pytestmark = pytest.mark.proof

NAME = "gateway_failover"
ALTER = f"alter database {NAME} %s default_transaction_read_only"
CUT = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{NAME}'"  # noqa: S608


class Failover:
    """A gateway whose database can be taken away and given back."""

    def __init__(self, running: Running, server: str, url: str) -> None:
        self.running, self.server, self.url = running, server, url

    async def age(self) -> None:
        """Whatever is used from now on has to be noted."""
        for table in ("sessions", "api_keys"):
            await run_sql(self.url, f"update {table} set last_used_at = '2020-01-01'")  # noqa: S608

    async def demote(self) -> None:
        """From now on all connections lead to what cannot be written to."""
        await run_sql(self.server, f"{ALTER % 'set'} = on")
        await run_sql(self.server, CUT)

    async def promote(self) -> None:
        """New connections lead to what can be written to; those that are open stay where they are."""
        await run_sql(self.server, ALTER % "reset")

    async def forget(self) -> None:
        """Nobody remembers who has signed in."""
        gateway = self.running.gateway
        await gateway.part(Redis).flushdb()
        gateway.part(CredentialCache).forget_all()

    async def ready(self) -> tuple[int, dict[str, Any]]:
        answer = await self.running.client.get("/health/ready")
        return answer.status_code, answer.json()


@pytest.fixture
async def failover(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Failover]:
    """A gateway on a database of its own, in which nothing is waited for that a test would wait for."""
    monkeypatch.setattr(database, "LEAVE_SECONDS", 0)
    async with cloned_database(settings, NAME) as url:
        own = Settings(_env_file=None, **{**settings.model_dump(), "DATABASE_URL": url})
        async with running(own) as found:
            yield Failover(found, settings.database_url, url)


@pytest.mark.parametrize("name", FACES)
async def test_writes_are_unavailable_reads_go_on_and_new_connections_find_the_new_server(
    failover: Failover, name: str
) -> None:
    face, client = failover.running.face(name), failover.running.client
    ada = await sign_up(client)
    key = await make_key(face, ada)
    item = await make_item(face, ada)
    await failover.age()
    before = await state(failover.running.gateway)
    await failover.demote()
    for each in (ada, key, ada):
        await failover.forget()
        assert await face.ok("get_item", each, id=item["id"]) == item
    for _ in range(2):
        for operation, data in (("create_item", {"title": "Never"}), ("login", credentials(ada))):
            answer = await face.call(operation, ada, data)
            assert (answer.problem, answer.status) == ("unavailable", 503)
            assert answer.members is not None
            assert answer.members["retry_after"] == 1
    response = await client.post("/api/v1/items", json={"title": "Never"}, headers=ada.headers)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert await state(failover.running.gateway) == before
    assert await failover.ready() == (200, degraded())
    await failover.promote()
    # The first one still finds the connection that has just been read with.
    answers = [await face.call("create_item", ada, {"title": "Now"}) for _ in range(3)]
    assert [each.problem for each in answers] == ["unavailable", None, None]
    assert [each["title"] for each in (await face.ok("list_items", ada))["data"]] == ["Now", "Now", "Wheel"]
    assert (await failover.ready())[1]["status"] == "ok"


async def test_reads_leave_the_old_server_with_the_first_write_that_fails(failover: Failover) -> None:
    gateway, face = failover.running.gateway, failover.running.face("rest")
    if gateway.reader is None:
        pytest.skip("reads take the connections of writes")
    ada = await sign_up(failover.running.client)
    before = await gateway.reader.pool.fetch_row("select pg_backend_pid()", [])
    assert await gateway.reader.pool.fetch_row("select pg_backend_pid()", []) == before
    await failover.demote()
    await face.call("create_item", ada, {"title": "Never"})
    old = await gateway.reader.pool.fetch_row("select pg_backend_pid()", [])
    async with gateway.reader.pool.connection() as busy:
        await face.call("create_item", ada, {"title": "Never"})
        assert not busy.is_closed()
    assert busy.is_closed()
    assert await gateway.reader.pool.fetch_row("select pg_backend_pid()", []) != old


def credentials(account: Account) -> dict[str, str]:
    return {"username": account.username, "password": account.password}


def degraded() -> dict[str, Any]:
    return {"status": "degraded", "checks": {"database": "read-only", "migrations": "up", "redis": "up"}}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that has statements wait for locks."""
    monkeypatch.setitem(database.SERVER_SETTINGS, "lock_timeout", "0")


@pytest.mark.parametrize("name", FACES)
async def test_read_does_not_wait_for_what_it_notes(patient: None, failover: Failover, name: str) -> None:
    face = failover.running.face(name)
    ada = await sign_up(failover.running.client)
    key = await make_key(face, ada)
    item = await make_item(face, ada)
    await failover.age()
    other = await asyncpg.connect(failover.url)
    async with other.transaction():
        await other.execute("lock table sessions, api_keys in share mode")
        for each in (ada, key):
            await failover.forget()
            async with asyncio.timeout(20):
                assert await face.ok("get_item", each, id=item["id"]) == item
    await other.close()
    await failover.forget()
    assert await face.ok("get_item", ada, id=item["id"]) == item
    assert await run_sql(failover.url, "select last_used_at > now() - interval '1 hour' from sessions") == [(True,)]
