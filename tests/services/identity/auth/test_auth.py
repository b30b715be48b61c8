"""Signing up and signing in, through each face."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import update

from services.catalogue import new_key
from services.engine.gateway import Gateway
from services.identity.auth.tokens import Tokens
from services.identity.users.models import User
from tests.support.accounts import Account, sign_up
from tests.support.apps import make_admin
from tests.support.faces import Face, GraphQLFace, RestFace

PASSWORD = "correct horse battery"
LOGIN = "/api/v1/auth/login"
SIGN_IN = "mutation($input: LoginInput!) { login(input: $input) { tokenPair { accessToken refreshToken scope } } }"


def person(**changes: Any) -> dict[str, Any]:
    name = f"Person.{uuid4().hex[:12]}"
    return {"email": f"{name}@Example.COM", "username": name, "password": PASSWORD, **changes}


def signed_in(account: dict[str, Any], tokens: dict[str, Any]) -> Account:
    return Account(account["id"], account["username"], PASSWORD, tokens)


async def test_register_sign_in_and_see_oneself(face: Face) -> None:
    given = person(full_name="Ada Lovelace")
    made = await face.ok("create_user", None, given)
    assert made["username"] == given["username"]
    assert made["full_name"] == "Ada Lovelace"
    assert (made["is_active"], made["is_superuser"]) == (True, False)

    tokens = await face.ok("login", None, {"username": given["username"], "password": PASSWORD})
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
    assert await face.ok("me", signed_in(made, tokens)) == made
    workspaces = await face.ok("list_workspaces", signed_in(made, tokens))
    assert [each["is_personal"] for each in workspaces["data"]] == [True]


@pytest.mark.parametrize("field", ["username", "email"])
@pytest.mark.parametrize("form", [str, str.lower, str.upper, lambda text: f" {text}\t"])
async def test_name_and_address_are_known_in_any_case(face: Face, field: str, form: Any) -> None:
    given = person()
    made = await face.ok("create_user", None, given)
    tokens = await face.ok("login", None, {"username": form(given[field]), "password": PASSWORD})
    assert (await face.ok("me", signed_in(made, tokens)))["id"] == made["id"]


@pytest.mark.parametrize("form", [str, str.lower, str.upper])
async def test_address_beyond_ascii_from_before_is_known_in_any_case(face: Face, gateway: Gateway, form: Any) -> None:
    given, email = person(), f"Jürgen.ÅSTRÖM-{uuid4().hex[:8]}@example.com"
    made = await face.ok("create_user", None, given)
    await readdress(gateway, given["username"], email)
    tokens = await face.ok("login", None, {"username": form(email), "password": PASSWORD})
    assert (await face.ok("me", signed_in(made, tokens)))["id"] == made["id"]


async def test_address_that_python_and_postgresql_lower_differently_signs_in(face: Face, gateway: Gateway) -> None:
    given, email = person(), f"İnan-{uuid4().hex[:8]}@example.com"
    await face.ok("create_user", None, given)
    await readdress(gateway, given["username"], email)
    await face.ok("login", None, {"username": email, "password": PASSWORD})


async def readdress(gateway: Gateway, username: str, email: str) -> None:
    """Give an account an address that is not taken any more, as one from before may have."""
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.username == username).values(email=email))
        await session.commit()


@pytest.mark.parametrize("field", ["username", "email"])
async def test_name_and_address_are_unique_in_any_case(face: Face, field: str) -> None:
    given = person()
    await face.ok("create_user", None, given)
    answer = await face.call("create_user", None, person(**{field: given[field].swapcase()}))
    assert (answer.problem, answer.status, answer.errors) == ("conflict", 409, {field: "unique"})


async def test_refused_registration_leaves_nothing(face: Face) -> None:
    given = person()
    await face.ok("create_user", None, given)
    other = person(email=given["email"])
    assert (await face.call("create_user", None, other)).problem == "conflict"
    answer = await face.call("login", None, {"username": other["username"], "password": PASSWORD})
    assert answer.problem == "invalid_credentials"


async def test_nobody_registers_as_an_admin(face: Face) -> None:
    answer = await face.client.post("/api/v1/users", json=person(is_superuser=True))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "is_superuser")


async def credentials_answer(face: Face, username: str, password: str) -> Response:
    data = {"username": username, "password": password}
    if isinstance(face, GraphQLFace):
        return await face.client.post("/graphql", json={"query": SIGN_IN, "variables": {"input": data}})
    return await face.client.post(LOGIN, json=data)


async def test_whatever_is_wrong_the_answer_is_the_same_to_the_byte(face: Face, ada: Account, eve: Account) -> None:
    await face.ok("deactivate_user", eve, id=eve.id)
    answers = [
        await credentials_answer(face, *pair)
        for pair in (
            (ada.username, "wrong horse"),
            ("nobody-of-this-name", ada.password),
            (eve.username, eve.password),
            (eve.username, "wrong horse"),
            ("", ""),
        )
    ]
    assert b'"code":"invalid_credentials"' in answers[0].content
    assert {answer.content for answer in answers} == {answers[0].content}
    shown = [{**answer.headers, "x-request-id": "", "server-timing": ""} for answer in answers]
    assert all(each == shown[0] for each in shown)
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="gateway"'
    assert answers[0].status_code == (200 if isinstance(face, GraphQLFace) else 401)


@pytest.mark.parametrize("by", ["username", "email"])
async def test_oauth2_form_with_what_swagger_ui_sends(rest: RestFace, by: str) -> None:
    given = person()
    made = await rest.ok("create_user", None, given)
    form = {"grant_type": "password", "username": given[by], "password": PASSWORD, "scope": "users:read items:read"}
    answer = await rest.client.post(
        LOGIN, data={**form, "client_id": "", "client_secret": ""}, headers={"Authorization": "Basic Og=="}
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (answer.json()["token_type"], answer.json()["scope"]) == ("bearer", "items:read users:read")
    assert answer.headers["cache-control"] == "no-store"
    assert (await rest.ok("me", signed_in(made, answer.json())))["id"] == made["id"]


@pytest.mark.parametrize(
    ("form", "field", "code"),
    [
        ({"grant_type": "authorization_code", "username": "a", "password": "b"}, "grant_type", "choice"),
        ({"username": "a"}, "password", "required"),
        ({"username": "a", "password": "b", "otp": "1"}, "otp", "unknown"),
        ({"username": "a", "password": "b" * 129}, "password", "length"),
        ({"username": "a", "password": "b\x00"}, "password", "format"),
    ],
)
async def test_form_with_a_fault_names_its_field(rest: RestFace, form: dict[str, str], field: str, code: str) -> None:
    answer = await rest.client.post(LOGIN, data=form)
    assert answer.status_code == 422, answer.text
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(field, code)]


async def test_form_with_two_passwords_is_refused(rest: RestFace, ada: Account) -> None:
    body = f"username={ada.username}&password=wrong&password={ada.password.replace(' ', '+')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await rest.client.post(LOGIN, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == ["password"]


async def test_fewer_scopes_are_granted_when_asked_for(face: Face, ada: Account) -> None:
    data = {"username": ada.username, "password": ada.password, "scope": "users:read  items:read users:read"}
    tokens = await face.ok("login", None, data)
    assert tokens["scope"] == "items:read users:read"
    narrow = replace(ada, tokens=tokens)
    assert (await face.ok("list_items", narrow))["data"] == []
    answer = await face.call("create_item", narrow, {"title": "No"})
    assert (answer.problem, answer.status) == ("insufficient_scope", 403)
    assert answer.members is not None
    assert answer.members["scope"] == "items:write"
    refreshed = await face.ok("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
    assert refreshed["scope"] == "items:read users:read"


async def test_all_scopes_are_granted_by_default(face: Face, ada: Account, gateway: Gateway) -> None:
    for asked in ({}, {"scope": ""}, {"scope": "  "}, {"scope": None}):
        tokens = await face.ok("login", None, {"username": ada.username, "password": ada.password, **asked})
        assert tokens["scope"].split() == list(gateway.catalogue.scopes)


async def test_unknown_scope_is_refused_by_name(face: Face, ada: Account) -> None:
    data = {"username": ada.username, "password": ada.password, "scope": "items:read items:burn"}
    answer = await face.call("login", None, data)
    assert (answer.problem, answer.errors) == ("validation_failed", {"scope": "choice"})


async def test_challenges_say_what_is_missing(client: AsyncClient) -> None:
    narrow = await sign_up(client, scope="items:read")
    challenges = {
        'Bearer realm="gateway"': (401, "unauthenticated", {}),
        'Bearer realm="gateway", error="invalid_token"': (401, "invalid_token", {"Authorization": "Bearer nonsense"}),
        'Bearer realm="gateway", error="insufficient_scope", scope="labels:read"': (
            403, "insufficient_scope", narrow.headers,
        ),
    }  # fmt: skip
    for challenge, (status, code, headers) in challenges.items():
        answer = await client.get("/api/v1/labels", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["www-authenticate"] == challenge
        shown = await client.post("/graphql", json={"query": "{ labels { nodes { id } } }"}, headers=headers)
        assert shown.json()["errors"][0]["extensions"]["code"] == code
        assert shown.headers["www-authenticate"] == challenge


@pytest.mark.parametrize(
    "value",
    [b"Basic Og==", b"Bearer", b"Bearer ", b"bearer  x y", b"Digest a=b", b"", b"Bearer caf\xc3\xa9", b"\xff\xfe"],
)
async def test_other_credentials_are_no_credentials(client: AsyncClient, value: bytes) -> None:
    answer = await client.get("/api/v1/users/me", headers=[(b"Authorization", value)])
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    shown = await client.post("/graphql", json={"query": "{ me { id } }"}, headers=[(b"Authorization", value)])
    assert shown.json()["errors"][0]["extensions"]["code"] == "invalid_token"


async def test_scheme_is_known_in_any_case(client: AsyncClient, ada: Account) -> None:
    answer = await client.get("/api/v1/users/me", headers={"Authorization": f"BEARER {ada.tokens['access_token']}"})
    assert answer.status_code == 200


def expired(gateway: Gateway, account: Account) -> Account:
    tokens = gateway.part(Tokens)
    past = datetime.now(UTC) - timedelta(days=60)
    dead = tokens.issue("access", user_id=account.key, session_id=new_key(), now=past, scopes=frozenset())
    return replace(account, tokens={"access_token": dead})


@pytest.mark.parametrize("kind", ["expired", "revoked", "not a token"])
async def test_dead_token_does_not_keep_anybody_from_open_operations(
    face: Face, ada: Account, gateway: Gateway, kind: str
) -> None:
    dead = expired(gateway, ada)
    if kind == "revoked":
        dead = replace(ada, tokens=ada.tokens)
        await face.ok("logout", dead)
    elif kind == "not a token":
        dead = replace(ada, tokens={"access_token": b64encode(b"\x00nonsense").decode()})
    assert (await face.call("me", dead)).problem == "invalid_token"
    tokens = await face.ok("login", dead, {"username": ada.username, "password": ada.password})
    refreshed = await face.ok("refresh_token", dead, {"refresh_token": tokens["refresh_token"]})
    assert (await face.ok("me", replace(ada, tokens=refreshed)))["id"] == ada.id
    await face.ok("create_user", dead, person())


async def test_open_operation_beside_a_closed_one_needs_good_credentials(graphql: GraphQLFace, ada: Account) -> None:
    dead = replace(ada, tokens={"access_token": "nonsense"})
    query = SIGN_IN.replace("} }", "} } logout { ok }", 1)
    body = await graphql.run(query, {"input": {"username": ada.username, "password": ada.password}}, dead)
    assert body["errors"][0]["extensions"]["code"] == "invalid_token"
    assert body.get("data") is None


async def test_deactivated_account_is_closed_until_an_admin_opens_it(
    face: Face, ada: Account, eve: Account, gateway: Gateway
) -> None:
    root = await make_admin(gateway, face.client, eve)
    closed = await face.ok("deactivate_user", ada, id=ada.id)
    assert closed["is_active"] is False
    assert (await face.call("me", ada)).problem == "invalid_token"
    refresh = {"refresh_token": ada.tokens["refresh_token"]}
    assert (await face.call("refresh_token", None, refresh)).problem == "invalid_token"
    sign_in = {"username": ada.username, "password": ada.password}
    assert (await face.call("login", None, sign_in)).problem == "invalid_credentials"

    assert (await face.ok("activate_user", root, id=ada.id))["is_active"] is True
    assert (await face.call("me", ada)).problem == "invalid_token"
    again = replace(ada, tokens=await face.ok("login", None, sign_in))
    assert (await face.ok("me", again))["is_active"] is True


async def test_only_admins_open_accounts_and_close_those_of_others(face: Face, ada: Account, eve: Account) -> None:
    assert (await face.call("deactivate_user", ada, id=eve.id)).problem == "forbidden"
    assert (await face.call("activate_user", ada, id=ada.id)).problem == "forbidden"
    await face.ok("deactivate_user", eve, id=eve.id)
    assert (await face.call("activate_user", ada, id=eve.id)).problem == "not_found"
