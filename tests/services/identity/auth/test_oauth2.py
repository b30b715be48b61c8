"""Introspection (RFC 7662), revocation (RFC 7009) and the server's metadata (RFC 8414)."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
import pytest

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.keys.secrets import new_secret
from tests.support.accounts import Account
from tests.support.apps import client_from, make_admin, make_app
from tests.support.faces import CallResult, RestFace
from tests.support.factories import make_key, make_team

FORM = "application/x-www-form-urlencoded"


async def post(rest: RestFace, path: str, actor: Account | None, **form: str) -> CallResult:
    """Send a form."""
    return rest.read(await rest.send("POST", path, actor, content=urlencode(form).encode(), media_type=FORM))


async def introspect(rest: RestFace, actor: Account | None, token: str) -> CallResult:
    """Ask about a token."""
    return await post(rest, "/auth/introspect", actor, token=token, token_type_hint="access_token", client_id="x")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_own_tokens_are_told_about_while_their_session_lives(rest: RestFace, ada: Account, kind: str) -> None:
    found = (await introspect(rest, ada, ada.tokens[kind])).data
    assert set(found) == {"active", "token_type", "scope", "sub", "username", "exp"}
    assert (found["active"], found["token_type"], found["sub"]) == (True, kind, ada.id)
    assert (found["username"], found["scope"]) == (ada.username, ada.tokens["scope"])
    key = await make_key(rest, ada)
    await rest.ok("logout", ada)
    assert (await introspect(rest, key, ada.tokens[kind])).data == {"active": False}


async def test_keys_are_told_about(rest: RestFace, client: httpx.AsyncClient) -> None:
    team = await make_team(client, rest)
    key = await make_key(
        rest, team.owner, scopes=["items:read"], workspace_id=team.id, expires_at="2035-01-01T00:00:00Z"
    )
    assert (await introspect(rest, team.owner, key.secret)).data == {
        "active": True, "token_type": "api_key", "scope": "items:read", "sub": team.owner.id,
        "username": team.owner.username, "exp": 2051222400, "workspace_id": team.id,
    }  # fmt: skip
    assert (await introspect(rest, key, key.secret)).data["active"] is True
    assert (await introspect(rest, key, team.owner.tokens["access_token"])).data == {"active": False}


async def test_nothing_is_told_of_what_is_not_ones_own_or_worth_nothing(
    rest: RestFace, gateway: Gateway, client: httpx.AsyncClient, ada: Account, eve: Account
) -> None:
    key = await make_key(rest, ada)
    for token in (ada.tokens["access_token"], ada.tokens["refresh_token"], key.secret):
        assert (await introspect(rest, eve, token)).data == {"active": False}
    for token in (new_secret(), "x", "a.b.c", f"{ada.tokens['access_token']}x"):
        assert (await introspect(rest, ada, token)).data == {"active": False}
    admin = await make_admin(gateway, client, eve)
    assert (await introspect(rest, admin, key.secret)).data["active"] is True
    assert (await introspect(rest, None, key.secret)).problem == "unauthenticated"


async def test_used_refresh_token_is_not_active(rest: RestFace, ada: Account) -> None:
    await rest.ok("refresh_token", None, {"refresh_token": ada.tokens["refresh_token"]})
    assert (await introspect(rest, ada, ada.tokens["refresh_token"])).data == {"active": False}


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_revoking_a_token_ends_its_session(rest: RestFace, ada: Account, eve: Account, kind: str) -> None:
    assert (await post(rest, "/auth/revoke", None, token=ada.tokens[kind])).data == {"ok": True}
    assert (await rest.call("me", ada)).problem == "invalid_token"
    refreshed = await rest.call("refresh_token", None, {"refresh_token": ada.tokens["refresh_token"]})
    assert refreshed.problem == "invalid_token"
    assert (await rest.call("me", eve)).problem is None


async def test_revoking_a_key_removes_it(rest: RestFace, ada: Account) -> None:
    key, other = await make_key(rest, ada), await make_key(rest, ada)
    await rest.ok("me", key)
    assert (await post(rest, "/auth/revoke", None, token=key.secret, token_type_hint="api_key")).data == {"ok": True}
    assert (await rest.call("me", key)).problem == "invalid_token"
    assert [each["id"] for each in (await rest.ok("list_api_keys", ada))["data"]] == [other.key_id]


@pytest.mark.parametrize("token", ["x", "a.b.c", f"hgw_{'0' * 38}"])
async def test_revoking_nothing_is_done_as_well(rest: RestFace, token: str) -> None:
    assert (await post(rest, "/auth/revoke", None, token=token)).data == {"ok": True}


async def test_form_needs_a_token(rest: RestFace, ada: Account) -> None:
    for path in ("/auth/introspect", "/auth/revoke"):
        answer = await post(rest, path, ada, tokens="x")
        assert (answer.problem, answer.errors) == ("validation_failed", {"token": "required", "tokens": "unknown"})


async def test_metadata_names_what_there_is(client: httpx.AsyncClient, gateway: Gateway) -> None:
    found = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert found == {
        "issuer": "http://gateway.test",
        "scopes_supported": list(gateway.catalogue.scopes),
        "response_types_supported": [],
        "service_documentation": "http://gateway.test/docs",
        "token_endpoint": "http://gateway.test/api/v1/auth/login",
        "grant_types_supported": ["password"],
        "token_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint": "http://gateway.test/api/v1/auth/introspect",
        "introspection_endpoint_auth_methods_supported": ["bearer"],
        "revocation_endpoint": "http://gateway.test/api/v1/auth/revoke",
        "revocation_endpoint_auth_methods_supported": ["none"],
    }


async def test_metadata_has_the_public_address_whatever_the_host(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"PUBLIC_URL": "https://api.example.org/base"}))
    async with client_from(app) as client:
        answer = await client.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"})
    assert answer.json()["token_endpoint"] == "https://api.example.org/base/api/v1/auth/login"
    assert "evil" not in answer.text
