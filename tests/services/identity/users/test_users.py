"""Users: signing up, what others see of them, changing and closing an account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace
from tests.support.factories import personal_workspace, unique, unknown_id


def registration(**more: Any) -> dict[str, Any]:
    """What somebody new sends."""
    name = unique("user")
    return {"email": f"{name}@example.com", "username": name, "password": "correct horse", **more}


async def test_anybody_may_register_and_gets_a_personal_workspace(face: Face, ada: Account) -> None:
    data = registration(full_name="Charles Babbage")
    made = await face.ok("create_user", None, data)
    shown = {name: made[name] for name in ("email", "username", "full_name", "is_active", "is_superuser")}
    assert shown == {
        "email": data["email"], "username": data["username"], "full_name": "Charles Babbage",
        "is_active": True, "is_superuser": False,
    }  # fmt: skip
    workspace = await personal_workspace(face, ada)
    assert (workspace["name"], workspace["is_personal"]) == ("Personal", True)
    members = await face.ok("list_memberships", ada)
    assert [(each["user_id"], each["role"]) for each in members["data"]] == [(ada.id, "owner")]


async def test_password_is_nowhere_in_a_user(face: Face, ada: Account) -> None:
    assert set(await face.ok("me", ada)) == {
        "id", "email", "email_verified", "username", "full_name", "avatar_id", "is_active", "is_superuser",
        "created_at", "updated_at",
    }  # fmt: skip


@pytest.mark.parametrize("taken", ["email", "username"])
async def test_taken_name_conflicts_without_regard_to_case(face: Face, taken: str) -> None:
    first = registration()
    await face.ok("create_user", None, first)
    second = registration(**{taken: first[taken].upper()})
    answer = await face.call("create_user", None, second)
    assert (answer.problem, answer.status, answer.errors) == ("conflict", 409, {taken: "unique"})
    other = "username" if taken == "email" else "email"
    await face.ok("create_user", None, registration(**{other: second[other]}))


async def test_nobody_registers_as_an_admin(face: Face, ada: Account) -> None:
    data = registration(is_superuser=True)
    answer = await face.call("create_user", None, data)
    assert (answer.problem, answer.errors) == ("validation_failed", {"is_superuser": "unknown"})
    assert (await face.ok("list_users", ada, filter={"username": data["username"]}))["data"] == []


async def test_me_is_the_signed_in_user(face: Face, ada: Account) -> None:
    found = await face.ok("me", ada)
    assert (found["id"], found["email"]) == (ada.id, f"{ada.username}@example.com")
    assert (await face.call("me")).problem == "unauthenticated"


async def test_user_changes_their_own_account(face: Face, ada: Account) -> None:
    new = unique("ada")
    # An address that is sent as it is does not change; another one has to be confirmed (../accounts/).
    email = f"{ada.username}@example.com"
    changed = await face.ok("update_user", ada, {"username": new, "email": email}, id=ada.id)
    assert (changed["username"], changed["email"], changed["full_name"]) == (new, email, None)
    assert await face.ok("get_user", ada, id=ada.id) == changed


async def test_null_clears_what_may_be_empty_and_nothing_else(face: Face, ada: Account) -> None:
    await face.ok("update_user", ada, {"full_name": "Ada"}, id=ada.id)
    before = await face.ok("me", ada)
    answer = await face.call("update_user", ada, {"username": None}, id=ada.id)
    assert (answer.problem, answer.errors) == ("validation_failed", {"username": "type"})
    assert await face.ok("me", ada) == before
    assert (await face.ok("update_user", ada, {"full_name": None}, id=ada.id))["full_name"] is None


async def test_own_name_in_another_case_is_no_conflict(face: Face, ada: Account) -> None:
    changed = await face.ok("update_user", ada, {"username": ada.username.upper()}, id=ada.id)
    assert changed["username"] == ada.username.upper()


async def test_changing_to_a_taken_name_conflicts(face: Face, ada: Account, eve: Account) -> None:
    before = await face.ok("me", ada)
    answer = await face.call("update_user", ada, {"username": eve.username.upper()}, id=ada.id)
    assert (answer.problem, answer.errors) == ("conflict", {"username": "unique"})
    assert await face.ok("me", ada) == before


@pytest.mark.parametrize(("operation", "data"), [("update_user", {"full_name": "Mallory"}), ("deactivate_user", {})])
async def test_account_of_another_is_forbidden(
    face: Face, ada: Account, eve: Account, operation: str, data: dict[str, Any]
) -> None:
    before = await face.ok("me", ada)
    answer = await face.call(operation, eve, data, id=ada.id)
    assert (answer.problem, answer.status) == ("forbidden", 403)
    assert await face.ok("me", ada) == before


async def test_unknown_user_is_not_found(face: Face, ada: Account) -> None:
    for operation, data in (("get_user", None), ("update_user", {"full_name": "X"}), ("deactivate_user", {})):
        assert (await face.call(operation, ada, data, id=unknown_id("usr"))).problem == "not_found"


async def test_anonymous_callers_see_no_users(face: Face, ada: Account) -> None:
    for answer in (await face.call("list_users"), await face.call("get_user", id=ada.id)):
        assert (answer.problem, answer.status) == ("unauthenticated", 401)


async def test_email_is_masked_for_others(face: Face, ada: Account, eve: Account) -> None:
    seen = await face.ok("get_user", eve, id=ada.id)
    assert (seen["username"], seen["email"]) == (ada.username, None)
    listed = await face.ok("list_users", eve, filter={"id": {"in": [ada.id, eve.id]}}, sort=["created_at"])
    assert [row["email"] for row in listed["data"]] == [None, f"{eve.username}@example.com"]


@pytest.mark.parametrize(
    "condition",
    [
        {"eq": "{email}"},
        {"in": ["{email}"]},
        {"starts_with": "{name}"},
        {"contains": "{name}"},
        {"is_null": False},
    ],
    ids=str,
)
async def test_masked_email_is_not_given_away_by_a_filter(
    face: Face, ada: Account, eve: Account, condition: dict[str, Any]
) -> None:
    address = f"{ada.username}@example.com"

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in value]
        return value.format(email=address, name=ada.username) if isinstance(value, str) else value

    tree = {"id": ada.id, "email": {key: fill(value) for key, value in condition.items()}}
    assert [row["id"] for row in (await face.ok("list_users", ada, filter=tree))["data"]] == [ada.id]
    assert (await face.ok("list_users", eve, filter=tree, count=True))["page"]["total"] == 0


async def test_users_cannot_be_sorted_by_email(face: Face, ada: Account) -> None:
    assert (await face.call("list_users", ada, sort=["email"])).problem == "validation_failed"


async def test_deactivated_user_is_gone_for_others_and_signed_out(face: Face, ada: Account, eve: Account) -> None:
    closed = await face.ok("deactivate_user", ada, id=ada.id)
    assert (closed["id"], closed["is_active"]) == (ada.id, False)
    assert (await face.call("get_user", eve, id=ada.id)).problem == "not_found"
    assert (await face.ok("list_users", eve, filter={"id": ada.id}))["data"] == []
    answer = await face.call("me", ada)
    assert (answer.problem, answer.status) == ("invalid_token", 401)


async def test_only_admins_activate(face: Face, ada: Account) -> None:
    assert (await face.call("activate_user", ada, id=ada.id)).problem == "forbidden"


async def test_deactivated_creator_is_null_in_what_they_made(graphql: GraphQLFace, ada: Account, eve: Account) -> None:
    query = "query($id: ID!) { user(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }"
    await graphql.ok("deactivate_user", ada, id=ada.id)
    body = await graphql.run(query, {"id": ada.id}, eve)
    assert body["data"] == {"user": None, "node": None, "nodes": [None]}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["not_found"]
