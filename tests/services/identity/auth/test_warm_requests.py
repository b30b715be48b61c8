"""A warm request asks nobody who its caller is; what it relies on is bounded, and does not outlive what is true."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, time

import pytest
from redis.asyncio import Redis
from sqlalchemy import event, func, select, update

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.auth import sessions
from services.identity.auth.authentication import Authenticator, Credentials
from services.identity.auth.memory import CredentialCache
from services.identity.auth.models import Session
from services.identity.auth.revocations import Revocations
from services.identity.auth.sessions import SessionStates
from services.identity.auth.tokens import Tokens
from services.identity.users.models import User
from services.storage.base import utc_now
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.remembered import eventually, is_remembered, session_key, warmed, with_redis


@pytest.fixture
async def alone(settings: Settings, valkey: Valkey) -> AsyncIterator[Running]:
    """An application on a Redis of its own, which remembers two tokens."""
    async with running(with_redis(settings, valkey.url, REMEMBERED_TOKENS=2)) as found:
        yield found


@pytest.fixture
async def ada(alone: Running) -> Account:
    return await sign_up(alone.client)


@contextmanager
def asked_of_postgresql(gateway: Gateway) -> Iterator[list[str]]:
    """The statements about sessions that the block sends."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "sessions" in statement:
            found.append(statement)

    engine = gateway.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def asked_of_redis(worker: Running) -> Counter[str]:
    """How often each command was served, those that keep the channel alive and this one left aside."""
    stats = await worker.gateway.part(Redis).info("commandstats")
    aside = {"cmdstat_ping", "cmdstat_info"}
    return Counter({name: each["calls"] for name, each in stats.items() if name not in aside})


async def test_warm_request_asks_neither_redis_nor_postgresql_for_its_actor(alone: Running, ada: Account) -> None:
    before = await asked_of_redis(alone)
    with asked_of_postgresql(alone.gateway) as statements:
        assert (await alone.face("rest").call("me", ada)).problem is None
    assert statements
    assert (await asked_of_redis(alone))["cmdstat_get"] == before["cmdstat_get"] + 1

    await warmed(alone, ada)
    before = await asked_of_redis(alone)
    with asked_of_postgresql(alone.gateway) as statements:
        for face in ("rest", "graphql") * 5:
            assert (await alone.face(face).call("me", ada)).problem is None
    assert statements == []
    assert await asked_of_redis(alone) == before


async def test_memory_holds_the_tokens_used_last_and_no_more(alone: Running, ada: Account) -> None:
    others = [await sign_up(alone.client) for _ in range(2)]
    for each in (ada, *others):
        await warmed(alone, each)
    assert [is_remembered(alone, each) for each in (ada, *others)] == [False, True, True]
    assert len(alone.gateway.part(CredentialCache)._known) == 2
    await warmed(alone, others[0])
    await warmed(alone, ada)
    assert [is_remembered(alone, each) for each in (ada, *others)] == [True, True, False]


async def test_spellings_of_one_token_are_remembered_as_one(alone: Running, ada: Account) -> None:
    await warmed(alone, ada)
    token = ada.tokens["access_token"]
    for field in (f"bearer {token}", f"BEARER   {token}", f"Bearer  {token}  "):
        answer = await alone.client.get("/api/v1/users/me", headers={"Authorization": field})
        assert (answer.status_code, answer.json()["id"]) == (200, ada.id)
    assert len(alone.gateway.part(CredentialCache)._known) == 1


async def test_remembered_token_is_refused_once_it_has_expired(alone: Running, ada: Account) -> None:
    await warmed(alone, ada)
    tokens = alone.gateway.part(Tokens)
    issued = utc_now() - tokens.lifetime("access") + timedelta(seconds=2)
    expires = int(issued.timestamp()) + int(tokens.lifetime("access").total_seconds())
    scopes = frozenset({"users:read"})
    text = tokens.issue("access", user_id=ada.key, session_id=session_key(ada), now=issued, scopes=scopes)
    brief = Account(ada.id, ada.username, ada.password, {"access_token": text})
    await warmed(alone, brief)
    await asyncio.sleep(max(0, expires - time()))
    assert not is_remembered(alone, brief)

    async def refused() -> bool:
        return (await alone.face("rest").call("me", brief)).problem == "invalid_token"

    await eventually(refused, 2)  # the library lets a token live to the end of its last second
    assert (await alone.face("rest").call("me", ada)).problem is None


async def test_answer_that_a_revocation_overtakes_is_not_remembered(
    alone: Running, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = await sign_up(alone.client)
    await warmed(alone, eve)
    found, go_on = asyncio.Event(), asyncio.Event()
    original = SessionStates.find

    async def slow(self: SessionStates, *ids: object) -> tuple[bool, float] | None:
        live = await original(self, *ids)  # type: ignore[arg-type]
        found.set()
        await go_on.wait()
        return live

    monkeypatch.setattr(SessionStates, "find", slow)
    call = asyncio.create_task(alone.face("rest").call("me", ada))
    await found.wait()
    monkeypatch.undo()
    await alone.gateway.part(Revocations).announce([session_key(ada)])
    go_on.set()
    assert (await call).problem in {None, "invalid_token"}
    assert not is_remembered(alone, ada)
    assert is_remembered(alone, eve)
    assert (await alone.face("rest").call("me", ada)).problem == "invalid_token"


async def test_worker_remembers_a_session_for_no_longer_than_redis(alone: Running, ada: Account) -> None:
    assert (await alone.face("rest").call("me", ada)).problem is None
    assert await alone.gateway.part(Redis).pexpire(f"session:{session_key(ada).hex}", 5_000)
    found = await alone.gateway.part(SessionStates).find(session_key(ada), ada.key)
    assert found is not None
    assert found[1] <= monotonic() + 5


async def test_session_served_from_memory_is_noted_as_in_use(
    alone: Running, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED_SECONDS", 1)
    await warmed(alone, ada)
    this = Session.id == session_key(ada)
    async with alone.gateway.database.unit_of_work() as session:
        long_ago = func.now() - timedelta(minutes=5)
        await session.execute(update(Session).where(this).values(last_used_at=long_ago))
        await session.commit()

    async def noted() -> bool:
        assert (await alone.face("rest").call("me", ada)).problem is None
        async with alone.gateway.database.reading() as session:
            last = (await session.execute(select(Session.last_used_at).where(this))).scalar_one()
        return utc_now() - last < timedelta(minutes=1)

    await eventually(noted)


@pytest.mark.parametrize("is_admin", [True, False])
async def test_change_of_an_admins_rights_is_noticed_when_memory_has_run_out(
    alone: Running, ada: Account, is_admin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED_SECONDS", 1)
    await make(alone, ada, is_admin=not is_admin)
    await warmed(alone, ada)
    assert await acts_as_admin(alone, ada) is not is_admin
    await make(alone, ada, is_admin=is_admin)

    async def noticed() -> bool:
        return await acts_as_admin(alone, ada) is is_admin

    await eventually(noticed)


async def make(worker: Running, account: Account, *, is_admin: bool) -> None:
    """Change an account's rights behind the gateway's back."""
    async with worker.gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == account.key).values(is_superuser=is_admin))
        await session.commit()


async def acts_as_admin(worker: Running, account: Account) -> bool:
    """Whether the worker takes the caller for an admin."""
    presented = Credentials((account.headers["Authorization"],))
    return (await worker.gateway.part(Authenticator).actor(presented)).is_admin
