"""Passwords: argon2id made, bcrypt still known, and nothing that is stored or typed in breaks the verification."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from passlib.context import CryptContext
from sqlalchemy import select, update

from services.engine.gateway import Gateway
from services.identity.auth.passwords import Passwords
from services.identity.users.models import User
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.faces import Face

BCRYPT = CryptContext(["bcrypt"], bcrypt__rounds=4)


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(1, 64)


async def test_new_hashes_are_argon2id_with_the_configured_costs(passwords: Passwords) -> None:
    first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert first.startswith("$argon2id$v=19$m=64,t=1,p=")
    assert first != second
    assert await passwords.verify("correct horse", first) == (True, None)
    assert await passwords.verify("correct horse ", first) == (False, None)


@pytest.mark.parametrize("password", ["", "pässwörd", "\U0001f40e" * 128, "a" * 4096, "with\x00nul"])
async def test_any_text_can_be_verified(passwords: Passwords, password: str) -> None:
    stored = await passwords.hash("correct horse")
    assert await passwords.verify(password, stored) == (False, None)
    assert await passwords.verify(password, None) == (False, None)


async def test_bcrypt_hash_is_verified_and_replaced(passwords: Passwords) -> None:
    right, replacement = await passwords.verify("correct horse", BCRYPT.hash("correct horse"))
    assert right
    assert replacement is not None
    assert replacement.startswith("$argon2id$")
    assert await passwords.verify("correct horse", replacement) == (True, None)


TYPED = "caf\u00e9 corr\u00e8ct"
OTHERWISE = ["cafe\u0301 corre\u0300ct", "caf\u00e9\u00a0corr\u00e8ct", "cafe\u0301\u3000corr\u00e8ct"]


@pytest.mark.parametrize("password", [TYPED, *OTHERWISE])
async def test_password_is_the_same_on_every_system(client: AsyncClient, password: str) -> None:
    account = await sign_up(client, password=password)
    for typed in (TYPED, *OTHERWISE):
        await sign_in(client, account.username, typed)


@pytest.mark.parametrize("password", OTHERWISE)
async def test_hash_of_a_password_as_it_was_typed_verifies_and_is_replaced(
    ada: Account, gateway: Gateway, client: AsyncClient, password: str
) -> None:
    await store_hash(gateway, ada, gateway.part(Passwords).context.hash(password))
    await sign_in(client, ada.username, password)
    for typed in (TYPED, *OTHERWISE):
        await sign_in(client, ada.username, typed)


@pytest.mark.parametrize("password", ["tab\tulator", "no\u200bthing", "bell\x07bell", "nul\x00nulnul"])
async def test_passwords_that_cannot_be_typed_everywhere_are_refused_and_still_verify(
    face: Face, passwords: Passwords, password: str
) -> None:
    data = {"username": "nobody-new", "email": "nobody-new@example.com", "password": password}
    answer = await face.call("create_user", None, data)
    assert (answer.status, answer.errors) == (422, {"password": "format"})
    if "\x00" not in password:
        assert await passwords.verify(password, await passwords.hash(password)) == (True, None)


@pytest.mark.parametrize(("length", "status"), [(128, 201), (129, 422)])
async def test_lengths_of_passwords_are_those_of_the_prepared(client: AsyncClient, length: int, status: int) -> None:
    name = f"long-{length}"
    data = {"username": name, "email": f"{name}@example.com", "password": "e\u0301" * length}
    assert (await client.post("/api/v1/users", json=data)).status_code == status
    answer = await client.post("/api/v1/auth/login", data={"username": name, "password": "e\u0301" * length})
    assert answer.status_code == {201: 200, 422: 422}[status]


async def test_wrong_password_against_bcrypt_replaces_nothing(passwords: Passwords) -> None:
    assert await passwords.verify("wrong horse", BCRYPT.hash("correct horse")) == (False, None)


async def test_argon2_hash_of_lower_cost_is_replaced(passwords: Passwords) -> None:
    dearer = Passwords(2, 64)
    right, replacement = await dearer.verify("correct horse", await passwords.hash("correct horse"))
    assert right
    assert replacement is not None
    assert replacement.startswith("$argon2id$v=19$m=64,t=2,p=")


@pytest.mark.parametrize("password", ["x" * 73, "é" * 37, "with\x00nul"])
async def test_what_bcrypt_cannot_take_is_a_wrong_password(passwords: Passwords, password: str) -> None:
    assert await passwords.verify(password, BCRYPT.hash("correct horse")) == (False, None)


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$broken", "$2b$04$short", "$5$rounds=5000$salt$x", "!"])
async def test_hash_of_unknown_kind_is_a_wrong_password(passwords: Passwords, stored: str) -> None:
    assert await passwords.verify("correct horse", stored) == (False, None)


async def test_unknown_account_costs_a_verification(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[str] = []
    monkeypatch.setattr(passwords.context, "dummy_verify", lambda *_: worked.append("dummy"))
    assert await passwords.verify("correct horse", None) == (False, None)
    assert worked == ["dummy"]


async def test_unknown_account_costs_as_many_verifications_as_a_known_one(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, worked = await passwords.hash("correct horse"), list[str]()
    verify = passwords.context.verify_and_update

    def verified(password: str, known: str) -> Any:
        worked.append("known")
        return verify(password, known)

    monkeypatch.setattr(passwords.context, "dummy_verify", lambda *_: worked.append("unknown"))
    monkeypatch.setattr(passwords.context, "verify_and_update", verified)
    for hashed in (None, stored):
        assert await passwords.verify("wrong horse\u0301", hashed) == (False, None)
    assert worked == ["unknown", "unknown", "known", "known"]


async def test_sign_in_replaces_a_bcrypt_hash(ada: Account, gateway: Gateway, client: AsyncClient) -> None:
    await store_hash(gateway, ada, BCRYPT.hash(ada.password))
    await sign_in(client, ada.username, ada.password)
    replacement = await stored_hash(gateway, ada)
    assert replacement.startswith("$argon2id$")
    await sign_in(client, ada.username, ada.password)
    assert await stored_hash(gateway, ada) == replacement


@pytest.mark.parametrize("name", ["nobody-of-this-name", "wrong password", "deactivated"])
async def test_every_refused_sign_in_costs_one_verification(
    name: str, app: FastAPI, ada: Account, gateway: Gateway, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = gateway.part(Passwords).context
    worked: list[str] = []

    def spy(what: str) -> Any:
        original = getattr(context, what)

        def called(*arguments: Any) -> Any:
            worked.append(what)
            return original(*arguments)

        return called

    if name == "deactivated":
        await client.post(f"/api/v1/users/{ada.id}/deactivate", headers=ada.headers)
    monkeypatch.setattr(context, "dummy_verify", spy("dummy_verify"))
    monkeypatch.setattr(context, "verify_and_update", spy("verify_and_update"))
    form = {
        "username": name if name == "nobody-of-this-name" else ada.username,
        "password": "wrong horse" if name == "wrong password" else ada.password,
    }
    answer = await client.post("/api/v1/auth/login", data=form)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert worked == (["dummy_verify"] if name == "nobody-of-this-name" else ["verify_and_update"])


async def store_hash(gateway: Gateway, account: Account, value: str) -> None:
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == account.key).values(password_hash=value))
        await session.commit()


async def stored_hash(gateway: Gateway, account: Account) -> str:
    async with gateway.database.reading() as session:
        return str((await session.execute(select(User.password_hash).where(User.id == account.key))).scalar_one())
