"""What users are told of: sign-ins from elsewhere, and sessions that were ended for the reuse of a refresh token."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from services.engine.gateway import Gateway
from tests.services.identity.conftest import PostOffice, address, text_of, verified
from tests.support.accounts import Account, sign_in
from tests.support.apps import FACES, client_from
from tests.support.faces import Face
from tests.support.grace import grace_passed

NEW_SIGN_IN = "New sign-in to Hybrid Gateway"


async def test_sign_in_from_elsewhere_is_told_and_that_from_a_known_place_is_not(
    face: Face, ada: Account, post: PostOffice, app: FastAPI, gateway: Gateway
) -> None:
    await verified(gateway, ada)
    await post.mails(address(ada))
    known = {"username": ada.username, "password": ada.password}
    await face.ok("login", None, known)
    assert await post.subjects(address(ada)) == []
    for where, agent, told in (
        ("192.0.2.7", "tests", 1), ("192.0.2.7", "tests", 0), ("192.0.2.7", "<b>Other</b>\x7f", 1),
        ("2001:db8:1:2::1", "tests", 1), ("2001:db8:1:2:3::1", "tests", 0), ("2001:db8:1:3::1", "tests", 1),
    ):  # fmt: skip
        async with client_from(app, where, agent) as client:
            await FACES[face.name](client, gateway.catalogue).ok("login", None, known)
        mails = await post.mails(address(ada))
        assert [each["Subject"] for each in mails] == [NEW_SIGN_IN] * told, (where, agent)
        for mail in mails:
            assert f"Address: {where}" in text_of(mail)
            assert "<b>Other" not in text_of(mail, "html")


async def test_first_sign_in_is_not_told(face: Face, ada: Account, post: PostOffice, app: FastAPI) -> None:
    await post.mails(address(ada))
    await face.ok("logout_all", ada)
    async with client_from(app, "192.0.2.9") as client:
        await sign_in(client, ada.username, ada.password)
    assert await post.subjects(address(ada)) == []


async def test_refused_sign_in_is_not_told(ada: Account, post: PostOffice, app: FastAPI) -> None:
    await post.mails(address(ada))
    async with client_from(app, "192.0.2.10") as client:
        answer = await client.post("/api/v1/auth/login", json={"username": ada.username, "password": "wrong horse"})
    assert answer.status_code == 401
    assert await post.subjects(address(ada)) == []


async def test_session_ended_by_reuse_of_a_token_is_told_once(
    face: Face, ada: Account, post: PostOffice, gateway: Gateway
) -> None:
    await verified(gateway, ada)
    await post.mails(address(ada))
    first = {"refresh_token": ada.tokens["refresh_token"]}
    for _ in range(2):
        await face.ok("refresh_token", None, first)
    assert await post.subjects(address(ada)) == []
    await grace_passed(gateway, ada)
    for _ in range(2):
        assert (await face.call("refresh_token", None, first)).problem == "invalid_token"
    (mail,) = await post.mails(address(ada))
    assert mail["Subject"] == "A session at Hybrid Gateway was ended"
    assert "python-httpx" in text_of(mail)


@pytest.mark.parametrize("good", [True, False])
async def test_token_of_an_ended_session_is_not_taken_for_reused(
    face: Face, ada: Account, post: PostOffice, good: bool
) -> None:
    await post.mails(address(ada))
    if good:
        await face.ok("logout", ada)
    token = ada.tokens["refresh_token"] if good else "nonsense"
    assert (await face.call("refresh_token", None, {"refresh_token": token})).problem == "invalid_token"
    assert await post.subjects(address(ada)) == []


async def test_address_that_nobody_has_verified_is_told_nothing(
    face: Face, ada: Account, post: PostOffice, app: FastAPI, gateway: Gateway
) -> None:
    await post.mails(address(ada))
    async with client_from(app, "192.0.2.11") as client:
        await sign_in(client, ada.username, ada.password)
    first = {"refresh_token": ada.tokens["refresh_token"]}
    await face.ok("refresh_token", None, first)
    await grace_passed(gateway, ada)
    assert (await face.call("refresh_token", None, first)).problem == "invalid_token"
    tokens = await sign_in(face.client, ada.username, ada.password)
    data = {"current_password": ada.password, "new_password": "another horse"}
    await face.ok("change_password", Account(ada.id, ada.username, ada.password, tokens), data)
    assert await post.subjects(address(ada)) == []
