"""Tokens that are worth nothing: refused alike by both faces, for reading and writing, and nothing comes of it."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jose import jwt

from services.engine.gateway import Gateway
from services.identity.auth.tokens import Tokens
from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import Team
from tests.support.remembered import session_key
from tests.support.state import unchanged

Make = Callable[[Gateway, Account], str]


def issued(gateway: Gateway, account: Account, **config: Any) -> str:
    """An access token of the account's session, by a gateway of another configuration."""
    tokens = replace(gateway.part(Tokens), **config)
    scopes = frozenset(gateway.catalogue.scopes)
    return tokens.issue(
        "access", user_id=account.key, session_id=session_key(account), now=datetime.now(UTC), scopes=scopes
    )


def expired(gateway: Gateway, account: Account) -> str:
    """A token that was good until a second ago."""
    return issued(gateway, account, access_lifetime=timedelta(seconds=-1))


def changed(account: Account, **claims: Any) -> str:
    """The account's token with other claims, and the signature it had."""
    header, _, signature = account.tokens["access_token"].split(".")
    found = {**jwt.get_unverified_claims(account.tokens["access_token"]), **claims}
    return f"{header}.{_base64(found)}.{signature}"


def with_header(account: Account, header: Mapping[str, Any], signature: str = "") -> str:
    """The account's claims under another header."""
    return f"{_base64(header)}.{account.tokens['access_token'].split('.')[1]}.{signature}"


def _base64(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


BAD: dict[str, Make] = {
    "forged": lambda gateway, ada: issued(gateway, ada, secret="another secret of at least 32 bytes"),
    "expired": expired,
    "for another audience": lambda gateway, ada: issued(gateway, ada, audience="somebody-else"),
    "of another issuer": lambda gateway, ada: issued(gateway, ada, issuer="somebody-else"),
    "of the wrong type": lambda gateway, ada: str(ada.tokens["refresh_token"]),
    "alg none": lambda gateway, ada: with_header(ada, {"alg": "none", "typ": "JWT"}),
    "key confusion": lambda gateway, ada: with_header(
        ada, {"alg": "RS256", "typ": "JWT"}, ada.tokens["access_token"].split(".")[2]
    ),
    "key named by the caller": lambda gateway, ada: with_header(
        ada, {"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"}, ada.tokens["access_token"].split(".")[2]
    ),
    "other scopes": lambda gateway, ada: changed(ada, scope=" ".join(gateway.catalogue.scopes)[:-1]),
    "somebody else": lambda gateway, ada: changed(ada, sub=f"usr_{'0' * 32}"),
    "oversized": lambda gateway, ada: changed(ada, scope="items:read " * 2_000),
}


@pytest.mark.parametrize("kind", BAD)
async def test_token_that_is_worth_nothing_is_refused(face: Face, gateway: Gateway, ada: Account, kind: str) -> None:
    bad = replace(ada, tokens={**ada.tokens, "access_token": BAD[kind](gateway, ada)})
    async with unchanged(gateway):
        answers = [await face.call("me", bad), await face.call("create_item", bad, {"title": "Never"})]
    assert [(each.problem, each.status) for each in answers] == [("invalid_token", 401)] * 2
    assert {(each.members or {})["detail"] for each in answers} == {"The token is not valid."}


async def test_revoked_token_is_refused(face: Face, gateway: Gateway, ada: Account) -> None:
    await face.ok("revoke", None, {"token": ada.tokens["refresh_token"]})
    async with unchanged(gateway):
        answers = [await face.call("me", ada), await face.call("create_item", ada, {"title": "Never"})]
    assert [each.problem for each in answers] == ["invalid_token"] * 2


async def test_of_two_invitations_of_one_user_at_once_one_is_a_conflict(face: Face, team: Team) -> None:
    data = {"workspace_id": team.id, "username": team.outsider.username}
    answers = await asyncio.gather(
        *(face.call("create_membership", team.owner, {**data, "role": role}) for role in ("viewer", "editor"))
    )
    assert sorted(each.problem or "" for each in answers) == ["", "conflict"]
    (lost,) = [each for each in answers if each.problem]
    assert lost.errors == {"username": "unique"}
    found = await face.ok("list_memberships", team.owner, filter={"user_id": team.outsider.id, "workspace_id": team.id})
    assert len(found["data"]) == 1


async def test_owner_who_is_demoted_first_invites_nobody(
    face: Face, gateway: Gateway, team: Team, eve: Account
) -> None:
    data = {"workspace_id": team.id, "username": team.outsider.username, "role": "owner"}
    second = await face.ok("create_membership", team.owner, data)
    await face.ok("update_membership", team.outsider, {"role": "viewer"}, id=team.memberships["owner"]["id"])
    async with unchanged(gateway):
        answer = await face.call("update_membership", team.owner, {"role": "viewer"}, id=second["id"])
        again = await face.call("create_membership", team.owner, {**data, "username": eve.username})
    assert (answer.problem, again.problem) == ("forbidden", "forbidden")
