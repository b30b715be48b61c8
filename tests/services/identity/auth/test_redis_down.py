"""Redis away, and back with a memory of what is not true any more: PostgreSQL knows, and nobody notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from redis.asyncio import Redis

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.apps import Running, client_from, running
from tests.support.faces import Face


@pytest.fixture
async def alone(settings: Settings, valkey: Valkey) -> AsyncIterator[Running]:
    """An application on it."""
    own = Settings(
        _env_file=None,
        **{**settings.model_dump(), "REDIS_URL": valkey.url, "LOGIN_ATTEMPTS_PER_ACCOUNT": "3/minute"},
    )
    async with running(own) as found:
        yield found


@pytest.fixture
async def ada(alone: Running) -> Account:
    return await sign_up(alone.client)


def faces(alone: Running) -> list[Face]:
    return [alone.face("rest"), alone.face("graphql")]


async def codes(alone: Running, account: Account) -> list[str | None]:
    """What `me` says through each face: a problem's code, or None when it goes well."""
    return [(await face.call("me", account)).problem for face in faces(alone)]


async def test_requests_and_sign_ins_go_on_without_redis(alone: Running, ada: Account, valkey: Valkey) -> None:
    assert await codes(alone, ada) == [None, None]
    valkey.stop()
    assert await codes(alone, ada) == [None, None]
    for face in faces(alone):
        data = {"username": ada.username, "password": ada.password}
        again = replace(ada, tokens=await face.ok("login", None, data))
        refreshed = await face.ok("refresh_token", None, {"refresh_token": again.tokens["refresh_token"]})
        assert await codes(alone, replace(ada, tokens=refreshed)) == [None, None]
        await face.ok("create_item", again, {"title": "Without Redis"})
    bob = await sign_up(alone.client)
    assert await codes(alone, bob) == [None, None]


async def test_readiness_is_degraded_without_redis_and_well_again_with_it(alone: Running, valkey: Valkey) -> None:
    valkey.stop()
    answer = await alone.client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"] == {"database": "up", "migrations": "up", "redis": "down"}
    valkey.start()
    answer = await alone.client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_throttle_goes_on_without_redis(alone: Running, ada: Account, valkey: Valkey) -> None:
    valkey.stop()
    async with client_from(alone.app) as client:
        answers = []
        for _ in range(4):
            form = {"username": ada.username, "password": "wrong horse"}
            answers.append(await client.post("/api/v1/auth/login", data=form))
        assert [each.status_code for each in answers] == [401, 401, 401, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        bob = await sign_up(client)
    assert await codes(alone, bob) == [None, None]


@pytest.mark.parametrize("ending", ["logout", "logout_all", "deactivate_user", "change_password"])
async def test_ended_session_is_refused_at_once_and_stays_so_when_redis_comes_back(
    alone: Running, ada: Account, valkey: Valkey, ending: str
) -> None:
    other = replace(ada, tokens=await sign_in(alone.client, ada.username, ada.password))
    # Redis remembers both sessions as live, and keeps that on disk.
    assert await codes(alone, ada) == await codes(alone, other) == [None, None]
    valkey.stop()
    passwords = {"current_password": ada.password, "new_password": "a horse of another colour"}
    data = passwords if ending == "change_password" else None
    await alone.face("rest").ok(ending, ada, data, id=ada.id if ending == "deactivate_user" else None)

    ended = other if ending == "change_password" else ada
    assert await codes(alone, ended) == ["invalid_token"] * 2
    valkey.start()
    await refused_within_a_second(alone, ended)
    live = {"logout": other, "change_password": ada}.get(ending)
    if live is not None:
        assert await codes(alone, live) == [None, None]


async def refused_within_a_second(alone: Running, ended: Account) -> None:
    """Redis has been told of the end, and says so to whoever asks it."""
    sid = UUID(hex=session_of(ended).removeprefix("ses_"))
    deadline = time.monotonic() + 1
    while await alone.gateway.part(Redis).get(f"session:{sid.hex}") != b"ended":
        assert time.monotonic() < deadline, "Redis still takes the session for a live one"
        await asyncio.sleep(0.02)
    for _ in range(3):
        assert await codes(alone, ended) == ["invalid_token"] * 2


def session_of(account: Account) -> str:
    from base64 import urlsafe_b64decode

    import orjson

    body = account.tokens["access_token"].split(".")[1]
    return str(orjson.loads(urlsafe_b64decode(body + "=="))["sid"])


async def test_redis_remembers_sessions_for_a_short_while(alone: Running, ada: Account) -> None:
    await codes(alone, ada)
    key = f"session:{session_of(ada).removeprefix('ses_')}"
    redis = alone.gateway.part(Redis)
    assert await redis.get(key) == b"user"
    assert 0 < await redis.ttl(key) <= 30
    await alone.face("rest").ok("logout", ada)
    assert await redis.get(key) == b"ended"
    assert await redis.ttl(key) > 60 * 29


async def test_nothing_goes_on_after_the_application_has_stopped(settings: Settings, valkey: Valkey) -> None:
    own = Settings(_env_file=None, **{**settings.model_dump(), "REDIS_URL": valkey.url})
    before = asyncio.all_tasks()
    async with running(own) as found:
        ada = await sign_up(found.client)
        valkey.stop()
        await found.face("rest").ok("logout", ada)
    left = asyncio.all_tasks() - before
    for task in left:
        task.cancel()
    assert [task.get_name() for task in left] == []
