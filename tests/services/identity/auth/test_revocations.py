"""What one worker ends, another that remembers it refuses within a second, whatever becomes of the channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from services.identity.auth import revocations
from services.identity.auth.memory import CredentialCache
from services.identity.auth.revocations import Revocations
from tests.support.accounts import Account, KeyHolder, sign_in, sign_up
from tests.support.apps import Running, running
from tests.support.factories import make_key
from tests.support.link import Link, link_to
from tests.support.remembered import (
    eventually,
    is_remembered,
    refused_within_a_second,
    session_key,
    warmed,
    with_redis,
)


@dataclass(frozen=True)
class Two:
    """Two workers on one Redis: `there` reaches it through a link that can be cut."""

    here: Running
    there: Running
    link: Link


@pytest.fixture
async def two(settings: Settings, valkey: Valkey) -> AsyncIterator[Two]:
    async with (
        link_to(valkey.socket) as link,
        running(with_redis(settings, valkey.url)) as here,
        running(with_redis(settings, f"redis://127.0.0.1:{link.port}/0")) as there,
    ):
        yield Two(here, there, link)


@pytest.fixture
async def ada(two: Two) -> Account:
    return await sign_up(two.here.client)


async def end(worker: Running, how: str, account: Account) -> None:
    """End the account's session, or all of its user."""
    rest = worker.face("rest")
    other = replace(account, tokens=await sign_in(worker.client, account.username, account.password))
    if how == "delete_session":
        await rest.ok(how, other, id=f"ses_{session_key(account).hex}")
    elif how == "change_password":
        words = {"current_password": account.password, "new_password": "a horse of another colour"}
        await rest.ok(how, other, words)
    elif how == "refresh_token":
        token = {"refresh_token": account.tokens["refresh_token"]}
        fresh = await rest.ok(how, None, token)
        await rest.ok(how, None, {"refresh_token": fresh["refresh_token"]})
        assert (await rest.call(how, None, token)).problem == "invalid_token"
    else:
        await rest.ok(how, account, id=account.id if how == "deactivate_user" else None)


ENDINGS = ["logout", "logout_all", "delete_session", "change_password", "refresh_token", "deactivate_user"]


@pytest.mark.parametrize("how", ENDINGS)
async def test_session_ended_elsewhere_is_refused_within_a_second(two: Two, ada: Account, how: str) -> None:
    eve = await sign_up(two.here.client)
    for worker in (two.here, two.there):
        await warmed(worker, ada)
        await warmed(worker, eve)
    await end(two.here, how, ada)
    assert not is_remembered(two.here, ada)
    await refused_within_a_second(two.there, ada)
    await refused_within_a_second(two.here, ada)
    assert is_remembered(two.there, eve)


async def end_key(worker: Running, how: str, account: Account, key: KeyHolder) -> None:
    """End an API key, or its user."""
    rest = worker.face("rest")
    if how == "revoke":
        await rest.ok(how, None, {"token": key.secret})
    else:
        data = {"grace_seconds": 0} if how == "rotate_api_key" else None
        await rest.ok(how, account, data, id=account.id if how == "deactivate_user" else key.key_id)


KEY_ENDINGS = [(how, "heard") for how in ("delete_api_key", "rotate_api_key", "revoke", "deactivate_user")]


@pytest.mark.parametrize(("how", "channel"), [*KEY_ENDINGS, ("delete_api_key", "silent"), ("deactivate_user", "cut")])
async def test_key_ended_elsewhere_is_refused_within_a_second(two: Two, ada: Account, how: str, channel: str) -> None:
    eve = await sign_up(two.here.client)
    key, other = [await make_key(two.here.face("rest"), each) for each in (ada, eve)]
    for worker in (two.here, two.there):
        await warmed(worker, key)
        await warmed(worker, other)
    if channel == "silent":
        two.link.stall()
    elif channel == "cut":
        two.link.cut()
    await end_key(two.here, how, ada, key)
    assert not is_remembered(two.here, key)
    await refused_within_a_second(two.there, key)
    await refused_within_a_second(two.here, key)
    assert (await two.there.face("rest").call("me", other)).problem is None


async def test_key_that_expires_is_refused_although_it_is_remembered(two: Two, ada: Account) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat().replace("+00:00", "Z")
    key = await make_key(two.here.face("rest"), ada, expires_at=until)
    await warmed(two.there, key)
    await asyncio.sleep(1.5)
    assert (await two.there.face("rest").call("me", key)).problem == "invalid_token"


async def test_silent_link_is_noticed_before_a_second_is_over(two: Two, ada: Account) -> None:
    await warmed(two.there, ada)
    two.link.stall()
    await end(two.here, "logout", ada)
    await refused_within_a_second(two.there, ada)


async def test_memory_is_trusted_again_when_a_silent_link_speaks_again(two: Two, ada: Account) -> None:
    eve = await sign_up(two.here.client)
    await warmed(two.there, ada)
    two.link.stall()
    await end(two.here, "logout", ada)
    await refused_within_a_second(two.there, ada)
    two.link.heal()
    await warmed(two.there, eve)
    await refused_within_a_second(two.there, ada)


async def test_cut_link_is_noticed_and_mended(two: Two, ada: Account) -> None:
    eve = await sign_up(two.here.client)
    await warmed(two.there, ada)
    await warmed(two.there, eve)
    two.link.cut()
    await end(two.here, "logout", ada)
    await refused_within_a_second(two.there, ada)
    assert (await two.there.face("rest").call("me", eve)).problem is None
    two.link.heal()
    await warmed(two.there, eve)
    await refused_within_a_second(two.there, ada)


async def test_killed_subscriptions_are_noticed_and_renewed(two: Two, ada: Account) -> None:
    eve = await sign_up(two.here.client)
    await warmed(two.here, ada)
    await warmed(two.there, ada)
    assert await two.here.gateway.part(Redis).client_kill_filter(_type="pubsub") == 2
    await end(two.here, "logout", ada)
    await refused_within_a_second(two.here, ada)
    await refused_within_a_second(two.there, ada)
    for worker in (two.here, two.there):
        await warmed(worker, eve)
        await refused_within_a_second(worker, ada)


async def test_restarted_redis_is_noticed(two: Two, ada: Account, valkey: Valkey) -> None:
    eve = await sign_up(two.here.client)
    await warmed(two.there, ada)
    valkey.stop()
    await end(two.here, "logout", ada)
    await refused_within_a_second(two.there, ada)
    valkey.start()
    await refused_within_a_second(two.there, ada)
    await warmed(two.there, eve)
    await refused_within_a_second(two.there, ada)


async def test_end_that_could_not_be_told_is_told_as_soon_as_it_can_be(two: Two, ada: Account) -> None:
    await warmed(two.here, ada)
    two.link.cut()
    await end(two.there, "logout", ada)
    await refused_within_a_second(two.there, ada)
    two.link.heal()
    await refused_within_a_second(two.here, ada)


async def test_end_takes_effect_on_its_own_worker_without_the_channel(
    two: Two, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Revocations, "_revoke", lambda *_: None)
    await warmed(two.here, ada)
    await end(two.here, "logout", ada)
    await refused_at_once(two.here, ada)


async def test_call_between_an_end_and_its_announcement_does_not_bring_the_token_back(
    two: Two, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Revocations, "_revoke", lambda *_: None)
    tell = Revocations._publish

    async def called_before(self: Revocations, *subjects: Collection[UUID]) -> bool:
        await warmed(two.here, ada)
        return await tell(self, *subjects)

    monkeypatch.setattr(Revocations, "_publish", called_before)
    await warmed(two.here, ada)
    await end(two.here, "logout", ada)
    await refused_at_once(two.here, ada)


async def refused_at_once(worker: Running, account: Account) -> None:
    assert not is_remembered(worker, account)
    for face in ("rest", "graphql"):
        assert (await worker.face(face).call("me", account)).problem == "invalid_token"


async def test_message_of_another_version_makes_workers_forget_everything(two: Two, ada: Account) -> None:
    await warmed(two.there, ada)
    memory = two.there.gateway.part(CredentialCache)
    before = memory._all_revoked_at
    await two.here.gateway.part(Redis).publish(revocations.CHANNEL, "2:\xff")

    async def forgotten() -> bool:
        return memory._all_revoked_at > before

    await eventually(forgotten)
    await warmed(two.there, ada)


async def test_task_that_loses_a_cancellation_is_stopped_all_the_same() -> None:
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while lost < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await revocations.stop([task])
    assert task.cancelled()
    assert lost == 2
