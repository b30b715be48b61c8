"""Sessions: refreshed, listed, ended, and never usable after that, through each face."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import select, update

from services.engine.gateway import Gateway
from services.identity.auth.models import Session
from tests.support.accounts import Account, sign_in
from tests.support.apps import client_from
from tests.support.faces import Face, GraphQLFace, RestFace

NEW_PASSWORD = "a horse of another colour"


async def refresh(face: Face, tokens: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await face.ok("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
    return found


async def refuse_refresh(face: Face, tokens: dict[str, Any]) -> None:
    answer = await face.call("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
    assert (answer.problem, answer.status) == ("invalid_token", 401)


async def another(face: Face, account: Account) -> Account:
    """The same user, signed in once more."""
    return replace(account, tokens=await sign_in(face.client, account.username, account.password))


async def refuse(account: Account, rest: RestFace, graphql: GraphQLFace) -> None:
    """Neither face takes the access token any more, nor the refresh token."""
    for face in (rest, graphql):
        assert (await face.call("me", account)).problem == "invalid_token"
        await refuse_refresh(face, account.tokens)


async def test_refresh_gives_two_new_tokens_of_the_same_session(face: Face, ada: Account) -> None:
    fresh = await refresh(face, ada.tokens)
    assert fresh["access_token"] != ada.tokens["access_token"]
    assert fresh["refresh_token"] != ada.tokens["refresh_token"]
    assert (fresh["token_type"], fresh["expires_in"]) == ("bearer", 1800)
    listed = await face.ok("list_sessions", replace(ada, tokens=fresh))
    assert len(listed["data"]) == 1
    assert listed["data"][0]["last_used_at"] > listed["data"][0]["created_at"]
    assert (await face.ok("me", ada))["id"] == ada.id
    assert (await face.ok("me", replace(ada, tokens=await refresh(face, fresh))))["id"] == ada.id


async def test_access_token_does_not_refresh_and_refresh_token_does_not_call(face: Face, ada: Account) -> None:
    swapped = {"access_token": ada.tokens["refresh_token"], "refresh_token": ada.tokens["access_token"]}
    await refuse_refresh(face, swapped)
    assert (await face.call("me", replace(ada, tokens=swapped))).problem == "invalid_token"
    await refresh(face, ada.tokens)


async def test_refresh_after_the_session_has_expired_is_refused(face: Face, ada: Account, gateway: Gateway) -> None:
    async with gateway.database.unit_of_work() as session:
        past = update(Session).where(Session.user_id == ada.key).values(expires_at=Session.created_at)
        await session.execute(past)
        await session.commit()
    await refuse_refresh(face, ada.tokens)


async def test_logout_ends_this_session_alone_at_once_on_both_faces(
    face: Face, ada: Account, rest: RestFace, graphql: GraphQLFace
) -> None:
    other = await another(face, ada)
    for each in (rest, graphql):
        await each.ok("me", ada)
    await face.ok("logout", ada)
    await refuse(ada, rest, graphql)
    assert (await face.ok("me", other))["id"] == ada.id
    assert (await face.call("logout", ada)).problem == "invalid_token"
    assert (await face.call("logout")).problem == "unauthenticated"


async def test_logout_all_ends_every_session_of_the_user_alone(
    face: Face, ada: Account, eve: Account, rest: RestFace, graphql: GraphQLFace
) -> None:
    other = await another(face, ada)
    await face.ok("logout_all", ada)
    await refuse(ada, rest, graphql)
    await refuse(other, rest, graphql)
    assert (await face.ok("me", eve))["id"] == eve.id


async def test_sessions_show_device_and_address(face: Face, ada: Account, app: FastAPI) -> None:
    async with client_from(app, "192.0.2.7", agent="Difference Engine/2 " + "x" * 400) as client:
        elsewhere = type(face)(client, face.catalogue)
        credentials = {"username": ada.username, "password": ada.password, "scope": "users:read items:read"}
        await elsewhere.ok("login", None, credentials)
    listed = (await face.ok("list_sessions", ada))["data"]
    assert len(listed) == 2
    newest, first = listed
    assert (newest["address"], first["address"]) == ("192.0.2.7", "127.0.0.1")
    assert newest["device"] == ("Difference Engine/2 " + "x" * 400)[:300]
    assert newest["scopes"] == ["items:read", "users:read"]
    assert newest["created_at"] == newest["last_used_at"] < newest["expires_at"]
    assert {each["user_id"] for each in listed} == {ada.id}


async def test_revoking_a_session_ends_it_and_no_other(
    face: Face, ada: Account, rest: RestFace, graphql: GraphQLFace
) -> None:
    other = await another(face, ada)
    newest = (await face.ok("list_sessions", ada))["data"][0]
    await face.ok("me", other)
    await face.ok("delete_session", ada, id=newest["id"])
    await refuse(other, rest, graphql)
    assert (await face.ok("me", ada))["id"] == ada.id
    left = (await face.ok("list_sessions", ada))["data"]
    assert newest["id"] not in {each["id"] for each in left}
    assert len(left) == 1
    assert (await face.call("delete_session", ada, id=newest["id"])).problem == "not_found"


async def test_session_of_another_user_is_neither_shown_nor_ended(face: Face, ada: Account, eve: Account) -> None:
    (mine,) = (await face.ok("list_sessions", ada))["data"]
    assert mine["id"] not in {each["id"] for each in (await face.ok("list_sessions", eve))["data"]}
    assert (await face.call("delete_session", eve, id=mine["id"])).problem == "not_found"
    assert (await face.ok("me", ada))["id"] == ada.id


async def test_changed_password_ends_the_other_sessions_and_keeps_this_one(
    face: Face, ada: Account, rest: RestFace, graphql: GraphQLFace
) -> None:
    other = await another(face, ada)
    await face.ok("change_password", ada, {"current_password": ada.password, "new_password": NEW_PASSWORD})
    await refuse(other, rest, graphql)
    assert (await face.ok("me", replace(ada, tokens=await refresh(face, ada.tokens))))["id"] == ada.id
    old = await face.call("login", None, {"username": ada.username, "password": ada.password})
    assert old.problem == "invalid_credentials"
    await face.ok("login", None, {"username": ada.username, "password": NEW_PASSWORD})


async def test_wrong_current_password_changes_nothing(face: Face, ada: Account) -> None:
    other = await another(face, ada)
    answer = await face.call("change_password", ada, {"current_password": "wrong", "new_password": NEW_PASSWORD})
    assert (answer.problem, answer.errors) == ("validation_failed", {"current_password": "wrong"})
    assert (await face.ok("me", other))["id"] == ada.id
    await face.ok("login", None, {"username": ada.username, "password": ada.password})


async def test_new_password_is_held_to_the_rules_of_registration(face: Face, ada: Account) -> None:
    for weak in ("short", "x" * 129):
        answer = await face.call("change_password", ada, {"current_password": ada.password, "new_password": weak})
        assert (answer.problem, answer.errors) == ("validation_failed", {"new_password": "length"})


async def test_two_changes_of_password_at_once_let_one_through(face: Face, ada: Account) -> None:
    wanted = [f"{NEW_PASSWORD} {number}" for number in range(2)]
    given = [{"current_password": ada.password, "new_password": each} for each in wanted]
    answers = await asyncio.gather(*(face.call("change_password", ada, each) for each in given))
    assert sorted(str(answer.problem) for answer in answers) == ["None", "validation_failed"]
    won = wanted[[answer.problem for answer in answers].index(None)]
    await face.ok("login", None, {"username": ada.username, "password": won})


async def test_expired_session_is_gone_for_its_user(face: Face, ada: Account, gateway: Gateway) -> None:
    other = await another(face, ada)
    async with gateway.database.unit_of_work() as session:
        found = select(Session.id).where(Session.user_id == ada.key).order_by(Session.id.desc()).limit(1)
        newest: UUID = (await session.execute(found)).scalar_one()
        await session.execute(update(Session).where(Session.id == newest).values(expires_at=Session.created_at))
        await session.commit()
    assert len((await face.ok("list_sessions", ada))["data"]) == 1
    assert (await face.call("me", other)).problem == "invalid_token"
