"""API keys: made once, shown once, with no more rights than their maker's, on both faces."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from services.engine.gateway import Gateway
from services.identity.keys.models import ApiKey
from services.identity.keys.secrets import hash_of, new_secret
from tests.support.accounts import Account, KeyHolder, sign_up
from tests.support.apps import make_admin
from tests.support.faces import Face
from tests.support.factories import Team, key_of, make_item, make_key, make_workspace, personal_workspace
from tests.support.state import unchanged

HEADERS = ["Authorization", "X-API-Key"]


async def change(gateway: Gateway, key: KeyHolder, **values: Any) -> None:
    """Change a key's row behind the gateway's back."""
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == key_of(key.key_id)).values(**values))
        await session.commit()


async def problem(face: Face, key: KeyHolder) -> str | None:
    """What keeps a key from being used, if anything does."""
    return (await face.call("me", key)).problem


async def test_secret_is_shown_once_and_stored_as_a_hash(face: Face, gateway: Gateway, ada: Account) -> None:
    made = await face.ok("create_api_key", ada, {"name": " Import ", "scopes": ["items:read", "items:read"]})
    assert set(made) == {"id", "secret"}
    assert re.fullmatch(r"hgw_[0-9A-Za-z]{38}", made["secret"])
    (shown,) = (await face.ok("list_api_keys", ada))["data"]
    assert await face.ok("get_api_key", ada, id=made["id"]) == shown
    assert (shown["name"], shown["scopes"], shown["user_id"]) == ("Import", ["items:read"], ada.id)
    assert shown["hint"] == f"hgw_…{made['secret'][-4:]}"
    assert not {"secret", "secret_hash", "previous_hash"} & set(shown)
    nothing = ("workspace_id", "rotated_at", "previous_until", "last_used_at", "expires_at")
    assert [shown[name] for name in nothing] == [None] * 5
    async with gateway.database.reading() as session:
        stored = await session.execute(select(ApiKey.__table__).where(ApiKey.id == key_of(made["id"])))
        row = stored.mappings().one()
    assert row["secret_hash"] == hash_of(made["secret"])
    assert made["secret"] not in str(dict(row))


@pytest.mark.parametrize("header", HEADERS)
async def test_key_acts_as_its_user_with_its_scopes(face: Face, ada: Account, header: str) -> None:
    item = await make_item(face, ada)
    key = await make_key(face, ada, scopes=["items:read"], header=header)
    assert await face.ok("get_item", key, id=item["id"]) == item
    answer = await face.call("update_item", key, {"title": "Mine"}, id=item["id"])
    assert (answer.problem, (answer.members or {})["scope"]) == ("insufficient_scope", "items:write")
    assert await face.ok("get_item", ada, id=item["id"]) == item
    assert (await face.ok("get_api_key", ada, id=key.key_id))["last_used_at"] is not None


async def test_nobody_hands_on_scopes_that_they_have_not(
    face: Face, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    narrow = await sign_up(client, scope="api_keys:write items:read")
    async with unchanged(gateway):
        refused = await face.call("create_api_key", narrow, {"name": "x", "scopes": ["items:read", "items:write"]})
        unknown = await face.call("create_api_key", narrow, {"name": "x", "scopes": ["items:read", "items:burn"]})
    assert (refused.problem, (refused.members or {})["scope"]) == ("insufficient_scope", "items:write")
    assert (unknown.problem, unknown.errors) == ("validation_failed", {"scopes[1]": "choice"})


BAD: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"name": ""}, {"name": "length"}),
    ({"scopes": []}, {"scopes": "length"}),
    ({"networks": ["192.0.2.0/33"]}, {"networks[0]": "format"}),
    ({"networks": ["127.0.0.0/8", "here"]}, {"networks[1]": "format"}),
    ({"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "range"}),
    ({"workspace_id": f"wsp_{'0' * 32}"}, {"workspace_id": "not_found"}),
]


@pytest.mark.parametrize(("data", "errors"), BAD, ids=[",".join(errors) for _, errors in BAD])
async def test_wrong_key_is_not_made(
    face: Face, gateway: Gateway, ada: Account, data: dict[str, Any], errors: dict[str, str]
) -> None:
    async with unchanged(gateway):
        answer = await face.call("create_api_key", ada, {"name": "x", "scopes": ["items:read"], **data})
    assert (answer.problem, answer.errors) == ("validation_failed", errors)


async def test_key_makes_and_rotates_no_keys_and_has_no_session(face: Face, gateway: Gateway, ada: Account) -> None:
    key = await make_key(face, ada)
    await face.ok("me", key)
    async with unchanged(gateway):
        answers = [
            await face.call("create_api_key", key, {"name": "x", "scopes": ["items:read"]}),
            await face.call("rotate_api_key", key, {}, id=key.key_id),
            await face.call("logout", key),
        ]
    assert [(each.problem, each.status) for each in answers] == [("forbidden", 403)] * 3


async def test_key_bound_to_a_workspace_reaches_nothing_else(face: Face, client: httpx.AsyncClient, team: Team) -> None:
    owner = team.owner
    own = await make_item(face, owner)
    key = await make_key(face, owner, workspace_id=team.id)
    made = await make_item(face, key)
    assert (made["workspace_id"], made["creator_id"]) == (team.id, owner.id)
    assert (await face.call("get_item", key, id=own["id"])).problem == "not_found"
    assert [each["id"] for each in (await face.ok("list_items", key))["data"]] == [made["id"]]
    assert [each["id"] for each in (await face.ok("list_workspaces", key))["data"]] == [team.id]
    assert (await face.ok("list_sessions", key))["data"] == []
    assert (await face.ok("me", key))["email"] is None
    assert [each["id"] for each in (await face.ok("list_api_keys", key))["data"]] == [key.key_id]
    personal = (await personal_workspace(face, owner))["id"]
    refused = await face.call("create_item", key, {"title": "There", "workspace_id": personal})
    assert (refused.problem, refused.errors) == ("validation_failed", {"workspace_id": "not_found"})


async def test_key_bound_to_a_workspace_changes_nothing_about_its_user(
    face: Face, gateway: Gateway, team: Team
) -> None:
    key = await make_key(face, team.owner, workspace_id=team.id)
    await face.ok("me", key)
    async with unchanged(gateway):
        answers = [
            await face.call("update_user", key, {"full_name": "Else"}, id=team.owner.id),
            await face.call("deactivate_user", key, id=team.owner.id),
            await face.call("create_workspace", key, {"name": "More", "slug": "more-of-it"}),
        ]
    assert [each.problem for each in answers] == ["forbidden"] * 3


async def test_key_has_the_role_that_its_user_has_at_the_time(
    face: Face, client: httpx.AsyncClient, team: Team
) -> None:
    second = await sign_up(client)
    data = {"workspace_id": team.id, "username": second.username, "role": "owner"}
    membership = await face.ok("create_membership", team.owner, data)
    key = await make_key(face, second, workspace_id=team.id)
    await make_item(face, key)
    await face.ok("update_membership", team.owner, {"role": "viewer"}, id=membership["id"])
    assert (await face.call("create_item", key, {"title": "No more"})).problem == "forbidden"
    await face.ok("delete_membership", team.owner, id=membership["id"])
    assert (await face.ok("list_items", key))["data"] == []


@pytest.mark.parametrize(("role", "expected"), [("editor", "forbidden"), ("viewer", "forbidden")])
async def test_only_owners_bind_keys_to_a_workspace(
    face: Face, gateway: Gateway, team: Team, role: str, expected: str
) -> None:
    async with unchanged(gateway):
        data = {"name": "x", "scopes": ["items:read"], "workspace_id": team.id}
        answer = await face.call("create_api_key", team.account(role), data)
    assert answer.problem == expected


async def test_owners_see_and_revoke_the_workspaces_keys_but_get_no_secret_of_them(
    face: Face, client: httpx.AsyncClient, team: Team
) -> None:
    second = await sign_up(client)
    data = {"workspace_id": team.id, "username": second.username, "role": "owner"}
    await face.ok("create_membership", team.owner, data)
    bound, own = await make_key(face, team.owner, workspace_id=team.id), await make_key(face, team.owner)
    assert [each["id"] for each in (await face.ok("list_api_keys", second))["data"]] == [bound.key_id]
    assert (await face.call("get_api_key", second, id=own.key_id)).problem == "not_found"
    assert (await face.call("rotate_api_key", second, {}, id=bound.key_id)).problem == "forbidden"
    for role in ("editor", "viewer", "outsider"):
        assert (await face.call("delete_api_key", team.account(role), id=bound.key_id)).problem == "not_found"
    await face.ok("me", bound)
    await face.ok("delete_api_key", second, id=bound.key_id)
    assert (await problem(face, bound), await problem(face, own)) == ("invalid_token", None)


async def test_rotation_ends_the_old_secret_at_once(face: Face, ada: Account) -> None:
    key = await make_key(face, ada)
    await face.ok("me", key)
    made = await face.ok("rotate_api_key", ada, {}, id=key.key_id)
    assert made["id"] == key.key_id
    assert await problem(face, key) == "invalid_token"
    assert await problem(face, replace(key, secret=made["secret"])) is None


async def test_rotation_lets_the_old_secret_live_for_a_grace(face: Face, gateway: Gateway, ada: Account) -> None:
    key = await make_key(face, ada)
    made = await face.ok("rotate_api_key", ada, {"grace_seconds": 3600}, id=key.key_id)
    new = replace(key, secret=made["secret"])
    assert (await problem(face, key), await problem(face, new)) == (None, None)
    shown = await face.ok("get_api_key", ada, id=key.key_id)
    assert shown["previous_until"] > shown["rotated_at"] > shown["created_at"]
    assert shown["hint"] == f"hgw_…{made['secret'][-4:]}"
    again = await face.ok("rotate_api_key", ada, {"grace_seconds": 3600}, id=key.key_id)
    assert await problem(face, key) == "invalid_token"
    await change(gateway, key, previous_until=datetime.now(UTC))
    fresh = replace(key, secret=again["secret"])
    assert (await problem(face, fresh), await problem(face, new)) == (None, "invalid_token")


async def test_expired_key_is_refused(face: Face, gateway: Gateway, ada: Account) -> None:
    key = await make_key(face, ada, expires_at="2099-01-01T00:00:00Z")
    await change(gateway, key, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await problem(face, key) == "invalid_token"


@pytest.mark.parametrize(("network", "expected"), [("127.0.0.0/8", None), ("10.0.0.0/8", "invalid_token")])
async def test_key_is_good_from_its_networks_only(face: Face, ada: Account, network: str, expected: str | None) -> None:
    key = await make_key(face, ada, networks=["2001:db8::/32", network])
    for _ in range(2):
        assert await problem(face, key) == expected


async def test_key_of_a_deactivated_user_is_refused(face: Face, ada: Account) -> None:
    key = await make_key(face, ada)
    assert await problem(face, key) is None
    await face.ok("deactivate_user", ada, id=ada.id)
    assert await problem(face, key) == "invalid_token"


async def test_admins_key_is_an_admins_unless_it_is_bound(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, ada: Account, eve: Account
) -> None:
    admin = await make_admin(gateway, client, ada)
    item, own = await make_item(face, eve), await make_workspace(face, admin)
    free, bound = await make_key(face, admin), await make_key(face, admin, workspace_id=own["id"])
    assert (await face.ok("get_item", free, id=item["id"])) == item
    assert (await face.call("get_item", bound, id=item["id"])).problem == "not_found"


async def test_what_is_no_key_is_refused_with_the_same_words(face: Face, ada: Account) -> None:
    key = await make_key(face, ada)
    secret = key.secret
    wrong = [
        new_secret(),
        secret[:-1] + ("a" if secret[-1] != "a" else "b"),
        secret[:-1],
        f"{secret}a",
        "hgw_",
        "hgw_!",
    ]
    answers = [await face.call("me", replace(key, secret=each, header=h)) for each in wrong for h in HEADERS]
    assert {(each.problem, each.status) for each in answers} == {("invalid_token", 401)}
    assert len({(each.members or {})["detail"] for each in answers}) == 1


async def test_token_is_not_accepted_as_a_key(face: Face, ada: Account) -> None:
    sent = KeyHolder(ada.id, ada.username, ada.password, ada.tokens, "", ada.tokens["access_token"], "X-API-Key")
    assert await problem(face, sent) == "invalid_token"


class Both(KeyHolder):
    """Who sends a token and, as `X-API-Key`, the secret."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}", "X-API-Key": self.secret}


def both(account: Account, token: str, key: str) -> Both:
    return Both(account.id, account.username, account.password, {"access_token": token}, "", key)


async def test_the_same_credential_in_both_headers_is_one(face: Face, ada: Account) -> None:
    key, token = await make_key(face, ada), ada.tokens["access_token"]
    for each in (both(ada, token, token), both(ada, key.secret, key.secret)):
        assert (await face.ok("me", each))["id"] == ada.id
    assert await problem(face, both(ada, "nonsense", "nonsense")) == "invalid_token"


async def test_two_credentials_at_once_are_refused(face: Face, gateway: Gateway, ada: Account, eve: Account) -> None:
    key = await make_key(face, ada)
    other = await make_key(face, ada)
    token = ada.tokens["access_token"]
    for first, second in ((key.secret, token), (key.secret, other.secret), (token, eve.tokens["access_token"])):
        assert await problem(face, both(ada, first, second)) == "bad_request"
    each = both(ada, token, key.secret)
    async with unchanged(gateway):
        answers = [await face.call("me", each), await face.call("create_item", each, {"title": "Twice"})]
    assert [(each.problem, each.status) for each in answers] == [("bad_request", 400)] * 2
