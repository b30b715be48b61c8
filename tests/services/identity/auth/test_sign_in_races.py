"""Signing in while the account changes: nothing is left of what the old password, or an open account, had begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from gateway.settings import Settings
from services.catalogue import Problem
from services.engine.gateway import Gateway
from services.identity.auth.models import Session
from services.identity.auth.passwords import _AT_ONCE, _WAITING, Passwords
from services.identity.auth.throttle import SignInThrottle
from services.process.networks import network_of
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, client_from, running
from tests.support.faces import Face, RestFace
from tests.support.races import WAIT_SECONDS, held_up
from tests.support.state import unchanged

NEW_PASSWORD = "a horse of another colour"
Happening = Callable[[Face, Account], Awaitable[Any]]


async def change(face: Face, account: Account) -> None:
    data = {"current_password": account.password, "new_password": NEW_PASSWORD}
    await face.ok("change_password", account, data)


async def deactivate(face: Face, account: Account) -> None:
    await face.ok("deactivate_user", account, id=account.id)


async def sessions(gateway: Gateway, account: Account) -> int:
    async with gateway.database.reading() as session:
        return int((await session.execute(select(func.count()).where(Session.user_id == account.key))).scalar_one())


def after_first(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, then: Callable[[], Awaitable[Any]]) -> None:
    """Let `then` happen after the first call of a method, before the call returns."""
    original, calls = getattr(owner, method), []

    async def wrapped(*arguments: Any) -> Any:
        calls.append(arguments)
        first = len(calls) == 1
        found = await original(*arguments)
        if first:
            await then()
        return found

    monkeypatch.setattr(owner, method, wrapped)


@pytest.mark.parametrize(("happening", "left"), [(change, 1), (deactivate, 0)])
@pytest.mark.parametrize("by", ["username", "email"])
async def test_sign_in_overtaken_by_a_change_is_refused(
    face: Face,
    ada: Account,
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    happening: Happening,
    left: int,
    by: str,
) -> None:
    after_first(monkeypatch, Passwords, "verify", lambda: happening(face, ada))
    name = ada.username if by == "username" else f"{ada.username}@example.com"
    answer = await face.call("login", None, {"username": name, "password": ada.password})
    assert (answer.problem, answer.status) == ("invalid_credentials", 401)
    assert await sessions(gateway, ada) == left


@pytest.mark.parametrize(("happening", "left"), [(change, 1), (deactivate, 0)])
async def test_change_overtaken_by_a_sign_in_ends_its_session(
    face: Face, ada: Account, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, happening: Happening, left: int
) -> None:
    """The sign-in has checked everything, and the change waits for it."""
    tasks: list[asyncio.Future[Any]] = []

    async def start() -> None:
        tasks.append(await held_up(gateway, happening(face, ada)))

    after_first(monkeypatch, SignInThrottle, "succeeded", start)
    tokens = await face.ok("login", None, {"username": ada.username, "password": ada.password})
    await tasks[0]
    late = replace(ada, tokens=tokens)
    assert (await face.call("me", late)).problem == "invalid_token"
    refresh = await face.call("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
    assert refresh.problem == "invalid_token"
    assert await sessions(gateway, ada) == left


async def test_change_of_password_overtaken_by_another_changes_nothing(
    face: Face, ada: Account, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_first(monkeypatch, Passwords, "verify", lambda: change(face, ada))
    late = {"current_password": ada.password, "new_password": "a third horse entirely"}
    answer = await face.call("change_password", ada, late)
    assert (answer.problem, answer.errors) == ("validation_failed", {"current_password": "wrong"})
    await face.ok("login", None, {"username": ada.username, "password": NEW_PASSWORD})


async def test_connection_is_not_kept_while_a_password_is_verified(
    face: Face, ada: Account, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    pool: Any = gateway.database.engine.pool

    async def look() -> None:
        kept.append(pool.checkedout())

    after_first(monkeypatch, Passwords, "verify", look)
    await face.ok("login", None, {"username": ada.username, "password": ada.password})
    assert kept == [0]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.8", "192.0.2.8"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("192.0.2.300", "unknown"),
        ("192.0.2.7:50000", "unknown"),
        ("[2001:db8::1]", "unknown"),
        ("x" * 10_000, "unknown"),
        ("192.0.2.7, 10.0.0.1", "unknown"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_ipv4_address_in_ipv6_counts_by_itself() -> None:
    first, second = network_of("::ffff:192.0.2.7"), network_of("::ffff:192.0.2.8")
    assert first != second
    assert first == network_of("0:0:0:0:0:FFFF:c000:0207")


ATTEMPTS = 4


@pytest.fixture(scope="module")
async def limited(settings: Settings) -> AsyncIterator[Running]:
    """Three attempts a minute for an account, four for an address."""
    limits = {"LOGIN_ATTEMPTS_PER_ACCOUNT": "3/minute", "LOGIN_ATTEMPTS_PER_ADDRESS": f"{ATTEMPTS}/minute"}
    async with running(settings.model_copy(update=limits)) as found:
        yield found


def person() -> dict[str, Any]:
    name = f"person-{uuid4().hex[:12]}"
    return {"email": f"{name}@example.com", "username": name, "password": "correct horse"}


@pytest.mark.parametrize("face_name", FACES)
async def test_registrations_count_against_the_address(limited: Running, face_name: str) -> None:
    async with client_from(limited.app) as client:
        here = FACES[face_name](client, limited.gateway.catalogue)
        for _ in range(ATTEMPTS):
            await here.ok("create_user", None, person())
        async with unchanged(limited.gateway):
            answer = await here.call("create_user", None, person())
        assert (answer.problem, answer.status) == ("too_many_requests", 429)
        login = await here.call("login", None, {"username": "nobody", "password": "wrong horse"})
        assert login.problem == "too_many_requests"
    async with client_from(limited.app) as elsewhere:
        await FACES[face_name](elsewhere, limited.gateway.catalogue).ok("create_user", None, person())


@pytest.mark.parametrize("face_name", FACES)
async def test_name_address_and_change_of_password_are_counted_apart(limited: Running, face_name: str) -> None:
    async with client_from(limited.app) as client:
        somebody = await sign_up(client)
    async with client_from(limited.app) as client:
        here = FACES[face_name](client, limited.gateway.catalogue)
        wrong = {"current_password": "wrong horse", "new_password": NEW_PASSWORD}
        found = [
            await here.call("login", None, {"username": somebody.username, "password": "wrong horse"}),
            await here.call("login", None, {"username": f"{somebody.username}@EXAMPLE.com", "password": "wrong horse"}),
            await here.call("change_password", somebody, wrong),
            await here.call("login", None, {"username": somebody.username, "password": somebody.password}),
        ]
    problems = ["invalid_credentials", "invalid_credentials", "validation_failed", None]
    assert [answer.problem for answer in found] == problems


async def test_addresses_that_are_none_count_as_one(settings: Settings) -> None:
    limits = {"LOGIN_ATTEMPTS_PER_ADDRESS": "2/1 seconds"}
    async with running(settings.model_copy(update=limits)) as found:
        problems = []
        for number in range(3):
            async with client_from(found.app, f"no-address-{number}") as client:
                here = RestFace(client, found.gateway.catalogue)
                answer = await here.call("login", None, {"username": f"nobody-{uuid4().hex}", "password": "x" * 8})
                problems.append(answer.problem)
    assert problems == ["invalid_credentials", "invalid_credentials", "too_many_requests"]


@pytest.mark.parametrize("operation", ["hash", "verify"])
async def test_too_many_waiting_hashes_are_refused(gateway: Gateway, operation: str) -> None:
    passwords, go_on = Passwords(1, 64), threading.Event()
    holders = [asyncio.create_task(passwords._work(go_on.wait)) for _ in range(_AT_ONCE)]
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(passwords.verify("correct horse", None)) for _ in range(_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as caught:
        async with asyncio.timeout(WAIT_SECONDS):
            await (passwords.hash("x") if operation == "hash" else passwords.verify("x", None))
    problem = caught.value
    assert (problem.type.code, problem.type.status, problem.headers()) == ("unavailable", 503, {"Retry-After": "2"})
    go_on.set()
    assert await asyncio.gather(*holders) == [True] * _AT_ONCE
    assert await asyncio.gather(*waiting) == [(False, None)] * _WAITING
    assert await passwords.verify("x", None) == (False, None)
