"""Attempts to sign in are counted per account and per address, whichever face they come through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from httpx import Response

from gateway.settings import Settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, client_from, running
from tests.support.faces import Face

ATTEMPTS = 3
SIGN_IN = "mutation($input: LoginInput!) { login(input: $input) { tokenPair { scope } } }"


@pytest.fixture(scope="module")
async def limited(settings: Settings) -> AsyncIterator[Running]:
    """Three attempts a minute for an account, eight for an address."""
    limits = {"LOGIN_ATTEMPTS_PER_ACCOUNT": "3/minute", "LOGIN_ATTEMPTS_PER_ADDRESS": "8/minute"}
    async with running(settings.model_copy(update=limits)) as found:
        yield found


@pytest.fixture(params=FACES)
async def here(limited: Running, request: pytest.FixtureRequest) -> AsyncIterator[Face]:
    """Each face, from an address that has not been used yet."""
    async with client_from(limited.app) as client:
        yield FACES[request.param](client, limited.gateway.catalogue)


@pytest.fixture
async def somebody(limited: Running) -> Account:
    """An account that has just been signed in to, from elsewhere."""
    async with client_from(limited.app) as client:
        return await sign_up(client)


async def attempt(face: Face, username: str, password: str = "wrong horse") -> str | None:
    return (await face.call("login", None, {"username": username, "password": password})).problem


@pytest.mark.parametrize("known", [True, False])
async def test_account_is_closed_to_attempts_after_too_many(here: Face, somebody: Account, known: bool) -> None:
    """An unknown account is counted like a known one, or the limit would tell them apart."""
    name = somebody.username if known else f"nobody-{uuid4().hex}"
    assert [await attempt(here, name) for _ in range(ATTEMPTS)] == ["invalid_credentials"] * ATTEMPTS
    answer = await here.call("login", None, {"username": name.upper(), "password": somebody.password})
    assert (answer.problem, answer.status) == ("too_many_requests", 429)
    assert answer.members is not None
    wait = answer.members["retry_after"]
    assert 1 <= wait <= 60
    assert answer.members["detail"] == f"Too many attempts. Try again in {wait} seconds."


async def test_right_password_does_not_help_either_while_the_account_is_closed(here: Face, somebody: Account) -> None:
    for _ in range(ATTEMPTS):
        await attempt(here, somebody.username)
    assert await attempt(here, somebody.username, somebody.password) == "too_many_requests"


async def test_success_clears_the_count_of_the_account(here: Face, somebody: Account) -> None:
    for _ in range(2):
        for _ in range(ATTEMPTS - 1):
            assert await attempt(here, somebody.username) == "invalid_credentials"
        assert await attempt(here, somebody.username, somebody.password) is None


@pytest.fixture
async def somebody_else(limited: Running) -> Account:
    """Another one."""
    async with client_from(limited.app) as client:
        return await sign_up(client)


async def test_other_accounts_stay_open(here: Face, somebody: Account, somebody_else: Account) -> None:
    for _ in range(ATTEMPTS + 1):
        await attempt(here, somebody.username)
    assert await attempt(here, somebody_else.username, somebody_else.password) is None


async def test_name_and_address_of_an_account_are_counted_apart(here: Face, somebody: Account) -> None:
    """Or whoever guesses would learn which belong together."""
    name, email = somebody.username, f"{somebody.username}@Example.com"
    found = [await attempt(here, each) for each in (name, f" {name.upper()} ", name, name, email)]
    assert found == ["invalid_credentials"] * ATTEMPTS + ["too_many_requests", "invalid_credentials"]


async def test_strangers_do_not_keep_a_user_from_changing_the_password(here: Face, somebody: Account) -> None:
    found = [await attempt(here, somebody.username) for _ in range(ATTEMPTS + 1)]
    assert found[-1] == "too_many_requests"
    data = {"current_password": somebody.password, "new_password": "a horse of another colour"}
    assert await here.ok("change_password", somebody, data) is None


async def test_address_is_closed_after_too_many_attempts_whatever_the_account(
    here: Face, somebody: Account, limited: Running
) -> None:
    for number in range(8):
        assert await attempt(here, f"nobody-{number}-{uuid4().hex}") == "invalid_credentials"
    assert await attempt(here, somebody.username, somebody.password) == "too_many_requests"
    async with client_from(limited.app) as elsewhere:
        face = type(here)(elsewhere, here.catalogue)
        assert await attempt(face, somebody.username, somebody.password) is None


async def test_network_of_64_bits_counts_as_one_address(limited: Running) -> None:
    network, found = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}", []
    for number in range(9):
        async with client_from(limited.app, f"{network}::{number}") as client:
            found.append(await attempt(FACES["rest"](client, limited.gateway.catalogue), f"nobody-{uuid4().hex}"))
    assert found == ["invalid_credentials"] * 8 + ["too_many_requests"]


async def test_attempts_made_at_once_are_all_counted(here: Face, somebody: Account) -> None:
    found = await asyncio.gather(*(attempt(here, somebody.username) for _ in range(6)))
    assert sorted(map(str, found)) == ["invalid_credentials"] * ATTEMPTS + ["too_many_requests"] * 3


async def test_guesses_of_the_current_password_are_counted_too(here: Face, somebody: Account) -> None:
    wrong = {"current_password": "wrong horse", "new_password": "a horse of another colour"}
    for _ in range(ATTEMPTS):
        assert (await here.call("change_password", somebody, wrong)).errors == {"current_password": "wrong"}
    right = {**wrong, "current_password": somebody.password}
    assert (await here.call("change_password", somebody, right)).problem == "too_many_requests"


async def test_header_says_how_long_to_wait(limited: Running) -> None:
    name = f"nobody-{uuid4().hex}"
    data = {"username": name, "password": "wrong horse"}
    answers: list[Response] = []
    async with client_from(limited.app) as client:
        for _ in range(ATTEMPTS + 1):
            answers.append(await client.post("/api/v1/auth/login", json=data))  # noqa: PERF401 - one after the other
        shown = await client.post("/graphql", json={"query": SIGN_IN, "variables": {"input": data}})
    assert [each.status_code for each in answers] == [401, 401, 401, 429]
    assert answers[-1].headers["retry-after"] == str(answers[-1].json()["retry_after"])
    extensions = shown.json()["errors"][0]["extensions"]
    assert extensions["code"] == "too_many_requests"
    assert shown.headers["retry-after"] == str(extensions["retry_after"])
