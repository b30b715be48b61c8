"""Admins: made by one transaction, let through by every policy and mask, bound by the scopes of their tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from gateway.commands import create_admin
from gateway.settings import Settings
from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE
from services.engine.gateway import Gateway
from services.identity.auth.operations import register
from services.identity.users.models import User
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.databases import run_sql
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import (
    Team,
    make_comment,
    make_item,
    make_label,
    make_team,
    personal_workspace,
)
from tests.support.programs import gateway_command
from tests.support.state import unchanged

PASSWORD = "correct horse battery"


def env_of(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "SECRET_KEY": settings.secret_key,
        "PASSWORD_HASH_TIME_COST": "1", "PASSWORD_HASH_MEMORY_KIB": "64", "LOG_FORMAT": "json",
    }  # fmt: skip


async def create(settings: Settings, name: str, **options: str) -> Any:
    """Run the command, in a thread."""
    given = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, **options}
    arguments = [part for option, value in given.items() for part in (f"--{option}", value)]
    return await asyncio.to_thread(gateway_command, "create-admin", *arguments, env=env_of(settings))


@pytest.fixture(scope="module")
async def root(settings: Settings, client: AsyncClient) -> Account:
    """An admin, who is a member of nothing but their own workspace."""
    name = f"root-{uuid4().hex[:8]}"
    assert (await create(settings, name)).exit_code == 0
    tokens = await sign_in(client, name, PASSWORD)
    me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    return Account(me.json()["id"], name, PASSWORD, tokens)


@pytest.fixture
async def team(client: AsyncClient, face: Face) -> Team:
    """A workspace that the admin is no member of."""
    return await make_team(client, face)


async def test_admin_sees_through_the_mask(face: Face, root: Account, ada: Account, eve: Account) -> None:
    address = f"{ada.username}@example.com"
    assert (await face.ok("get_user", root, id=ada.id))["email"] == address
    for tree in ({"email": address}, {"email": {"contains": ada.username}}):
        assert [row["id"] for row in (await face.ok("list_users", root, filter=tree))["data"]] == [ada.id]
        assert (await face.ok("list_users", eve, filter=tree))["data"] == []


async def test_admin_sees_through_the_mask_below_other_rows(
    rest: RestFace, graphql: GraphQLFace, root: Account, ada: Account
) -> None:
    item = await make_item(rest, ada)
    found = await rest.get(f"/items/{item['id']}", root, include="creator")
    assert found["creator"]["email"] == f"{ada.username}@example.com"
    shown = await graphql.data("query($id: ID!) { item(id: $id) { creator { email } } }", {"id": item["id"]}, root)
    assert shown == {"item": {"creator": {"email": f"{ada.username}@example.com"}}}


async def test_admin_passes_the_policies_of_a_workspace(face: Face, root: Account, team: Team) -> None:
    item = await make_item(face, team.editor, workspace_id=team.id)
    label = await make_label(face, team.editor, workspace_id=team.id)
    comment = await make_comment(face, team.editor, item)
    assert await face.ok("get_item", root, id=item["id"]) == item
    listed = await face.ok("list_items", root, filter={"workspace_id": team.id})
    assert listed["data"] == [item]
    assert (await face.ok("update_item", root, {"title": "Ours"}, id=item["id"]))["title"] == "Ours"
    await face.ok("attach_label", root, {"label_id": label["id"]}, id=item["id"])
    assert (await face.ok("update_comment", root, {"body": "Mended"}, id=comment["id"]))["author_id"] == team.editor.id
    made = await make_item(face, root, workspace_id=team.id)
    assert (made["workspace_id"], made["creator_id"]) == (team.id, root.id)
    assert (await make_comment(face, root, item))["author_id"] == root.id
    for operation, row in (("delete_comment", comment), ("delete_label", label), ("delete_item", item)):
        await face.ok(operation, root, id=row["id"])


async def test_admin_manages_a_workspace_of_others(face: Face, root: Account, ada: Account, team: Team) -> None:
    data = {"workspace_id": team.id, "username": ada.username, "role": "editor"}
    made = await face.ok("create_membership", root, data)
    assert (await face.ok("update_membership", root, {"role": "viewer"}, id=made["id"]))["role"] == "viewer"
    await face.ok("delete_membership", root, id=made["id"])
    assert (await face.ok("update_workspace", root, {"name": "Renamed"}, id=team.id))["name"] == "Renamed"
    await face.ok("delete_workspace", root, id=team.id)
    assert (await face.call("get_workspace", team.owner, id=team.id)).problem == "not_found"


async def test_rules_that_are_no_policies_bind_an_admin_too(
    face: Face, gateway: Gateway, root: Account, ada: Account, team: Team
) -> None:
    own = await personal_workspace(face, ada)
    async with unchanged(gateway):
        answer = await face.call("delete_workspace", root, id=own["id"])
        last = await face.call("delete_membership", root, id=team.memberships["owner"]["id"])
    assert [answer.problem, last.problem] == ["conflict", "conflict"]


async def test_admin_closes_opens_and_changes_accounts(face: Face, root: Account, ada: Account) -> None:
    assert (await face.ok("update_user", root, {"full_name": "Ada King"}, id=ada.id))["full_name"] == "Ada King"
    assert (await face.ok("deactivate_user", root, id=ada.id))["is_active"] is False
    assert (await face.ok("get_user", root, id=ada.id))["is_active"] is False
    credentials = {"username": ada.username, "password": ada.password}
    assert (await face.call("login", None, credentials)).problem == "invalid_credentials"
    assert (await face.ok("activate_user", root, id=ada.id))["is_active"] is True
    await face.ok("login", None, credentials)


async def test_own_things_of_an_admin_are_their_own(face: Face, root: Account, ada: Account) -> None:
    assert (await face.ok("me", root))["id"] == root.id
    assert {row["user_id"] for row in (await face.ok("list_sessions", root))["data"]} == {root.id}
    item = await make_item(face, root)
    tree = {"is_personal": True, "id": item["workspace_id"]}
    (home,) = (await face.ok("list_workspaces", root, filter=tree))["data"]
    members = await face.ok("list_memberships", root, filter={"workspace_id": home["id"]})
    assert [row["user_id"] for row in members["data"]] == [root.id]
    assert (await face.call("get_item", ada, id=item["id"])).problem == "not_found"


async def test_scopes_bind_an_admin(face: Face, gateway: Gateway, root: Account, ada: Account) -> None:
    item = await make_item(face, ada)
    narrow = Account(
        root.id, root.username, PASSWORD, await sign_in(face.client, root.username, PASSWORD, scope="items:read")
    )
    assert await face.ok("get_item", narrow, id=item["id"]) == item
    async with unchanged(gateway):
        for operation, data, key, scope in (
            ("update_item", {"title": "Ours"}, item["id"], "items:write"),
            ("delete_item", {}, item["id"], "items:write"),
            ("get_user", None, ada.id, "users:read"),
            ("deactivate_user", {}, ada.id, "users:write"),
            ("activate_user", {}, ada.id, "users:write"),
        ):
            answer = await face.call(operation, narrow, data, id=key)
            assert (answer.problem, answer.status) == ("insufficient_scope", 403)
            assert answer.members is not None
            assert answer.members["scope"] == scope


@contextmanager
def commits(name: str) -> Iterator[list[list[bool]]]:
    """Whether the user of this name is an admin, as each transaction that the block commits leaves them."""
    found: list[list[bool]] = []

    def note(session: Session) -> None:
        found.append(list(session.execute(select(User.is_superuser).where(User.username == name)).scalars()))

    event.listen(Session, "before_commit", note)
    try:
        yield found
    finally:
        event.remove(Session, "before_commit", note)


async def test_admin_is_made_in_one_transaction(settings: Settings) -> None:
    name = f"root-{uuid4().hex[:8]}"
    with commits(name) as found:
        assert (await create(settings, name)).exit_code == 0
    assert found == [[True]]


async def test_failure_after_registration_leaves_nobody(
    settings: Settings, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*arguments: Any) -> User:
        await register(*arguments)
        raise Problem(UNAVAILABLE)

    monkeypatch.setattr(create_admin, "register", fails)
    async with unchanged(gateway):
        done = await create(settings, f"root-{uuid4().hex[:8]}")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["The service is not available at the moment."]


FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "short name": ({"username": "x"}, "--username: This should have at least 3 characters."),
    "no address": ({"email": "nobody"}, "--email: This is not an e-mail address."),
    "short password": ({"password": "sh0rt!"}, "--password: This should have at least 8 characters."),
    "taken name": ({"username": "@taken"}, "--username: This is taken already."),
    "taken address": ({"email": "@taken@EXAMPLE.com"}, "--email: This is taken already."),
}


@pytest.mark.parametrize(("options", "sentence"), FAULTS.values(), ids=FAULTS)
async def test_option_at_fault_is_named_alone(
    settings: Settings, gateway: Gateway, client: AsyncClient, options: dict[str, str], sentence: str
) -> None:
    taken = await sign_up(client)
    given = {name: value.replace("@taken", taken.username) for name, value in options.items()}
    async with unchanged(gateway):
        done = await create(settings, **{"name": f"root-{uuid4().hex[:8]}", **given})
    assert (done.exit_code, done.stdout) == (1, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == [sentence]
    assert "sh0rt!" not in done.output


async def test_nobody_else_is_made_an_admin(settings: Settings, client: AsyncClient) -> None:
    somebody = await sign_up(client)
    await create(settings, f"root-{uuid4().hex[:8]}", email=f"{somebody.username}@example.com")
    rows = await run_sql(settings.database_url, f"select is_superuser from users where id = '{somebody.key}'")  # noqa: S608
    assert rows == [(False,)]
