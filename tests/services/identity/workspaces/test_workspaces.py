"""Workspaces and their members."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import (
    Team,
    invite,
    make_item,
    make_workspace,
    personal_workspace,
    unique,
    unknown_id,
)


async def roles(face: Face, team: Team) -> dict[str, str]:
    """Who is what in the team's workspace, as the viewer sees it."""
    found = await face.ok("list_memberships", team.viewer, filter={"workspace_id": team.id})
    return {row["user_id"]: row["role"] for row in found["data"]}


async def test_maker_of_a_workspace_owns_it(face: Face, ada: Account) -> None:
    made = await make_workspace(face, ada)
    members = await face.ok("list_memberships", ada, filter={"workspace_id": made["id"]})
    assert [(row["user_id"], row["role"]) for row in members["data"]] == [(ada.id, "owner")]
    assert made["is_personal"] is False


async def test_slug_is_unique(face: Face, ada: Account, eve: Account) -> None:
    made = await make_workspace(face, ada)
    answer = await face.call("create_workspace", eve, {"name": "Other", "slug": made["slug"]})
    assert (answer.problem, answer.errors) == ("conflict", {"slug": "unique"})
    assert (await face.ok("list_workspaces", eve, count=True))["page"]["total"] == 1


@pytest.mark.parametrize(
    "slug", ["UPPER-case", "-edge", "edge-", "two--hyphens", "under_score", "ab", "naïve", "x" * 81]
)
async def test_slug_has_its_form(face: Face, ada: Account, slug: str) -> None:
    answer = await face.call("create_workspace", ada, {"name": "Engine", "slug": slug})
    assert answer.problem == "validation_failed"
    assert set(answer.errors or {}) == {"slug"}


async def test_personal_workspace_cannot_be_deleted(face: Face, ada: Account) -> None:
    own = await personal_workspace(face, ada)
    answer = await face.call("delete_workspace", ada, id=own["id"])
    assert (answer.problem, answer.status) == ("conflict", 409)
    assert await face.ok("get_workspace", ada, id=own["id"]) == own


async def test_owner_invites_by_user_name_without_regard_to_case(face: Face, team: Team) -> None:
    data = {"workspace_id": team.id, "username": team.outsider.username.upper()}
    made = await face.ok("create_membership", team.owner, data)
    assert (made["workspace_id"], made["user_id"], made["role"]) == (team.id, team.outsider.id, "viewer")
    assert await face.ok("get_workspace", team.outsider, id=team.id) == team.workspace


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_only_owners_invite(face: Face, team: Team, role: str) -> None:
    before = await roles(face, team)
    data = {"workspace_id": team.id, "username": team.outsider.username}
    answer = await face.call("create_membership", team.account(role), data)
    assert (answer.problem, answer.status) == ("forbidden", 403)
    assert await roles(face, team) == before


async def test_inviting_into_a_foreign_workspace_is_as_into_an_unknown_one(face: Face, team: Team) -> None:
    before = await roles(face, team)
    answers = [
        await face.call("create_membership", team.outsider, {"workspace_id": key, "username": team.outsider.username})
        for key in (team.id, unknown_id("wsp"))
    ]
    assert (answers[0].problem, answers[0].errors) == ("validation_failed", {"workspace_id": "not_found"})
    assert answers[0] == answers[1]
    assert await roles(face, team) == before


async def test_inviting_an_unknown_or_deactivated_user_names_the_field(face: Face, team: Team) -> None:
    await face.ok("deactivate_user", team.outsider, id=team.outsider.id)
    answers = [
        await face.call("create_membership", team.owner, {"workspace_id": team.id, "username": name})
        for name in (team.outsider.username, unique("nobody"))
    ]
    assert (answers[0].problem, answers[0].errors) == ("validation_failed", {"username": "not_found"})
    assert answers[0] == answers[1]


async def test_inviting_a_member_again_conflicts(face: Face, team: Team) -> None:
    before = await roles(face, team)
    data = {"workspace_id": team.id, "username": team.viewer.username, "role": "editor"}
    answer = await face.call("create_membership", team.owner, data)
    assert (answer.problem, answer.errors) == ("conflict", {"username": "unique"})
    assert await roles(face, team) == before


async def test_owner_changes_roles(face: Face, team: Team) -> None:
    changed = await face.ok("update_membership", team.owner, {"role": "editor"}, id=team.memberships["viewer"]["id"])
    assert changed["role"] == "editor"
    await make_item(face, team.viewer, workspace_id=team.id)


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_members_cannot_promote_themselves(face: Face, team: Team, role: str) -> None:
    before = await roles(face, team)
    answer = await face.call(
        "update_membership", team.account(role), {"role": "owner"}, id=team.memberships[role]["id"]
    )
    assert (answer.problem, answer.status) == ("forbidden", 403)
    assert await roles(face, team) == before


async def test_owner_removes_a_member(face: Face, team: Team) -> None:
    await face.ok("delete_membership", team.owner, id=team.memberships["editor"]["id"])
    assert await roles(face, team) == {team.owner.id: "owner", team.viewer.id: "viewer"}
    assert (await face.call("get_workspace", team.editor, id=team.id)).problem == "not_found"


async def test_members_cannot_remove_others(face: Face, team: Team) -> None:
    before = await roles(face, team)
    for actor, problem in ((team.editor, "forbidden"), (team.outsider, "not_found")):
        answer = await face.call("delete_membership", actor, id=team.memberships["viewer"]["id"])
        assert answer.problem == problem
    assert await roles(face, team) == before


async def test_member_leaves(face: Face, team: Team) -> None:
    await face.ok("delete_membership", team.editor, id=team.memberships["editor"]["id"])
    assert team.editor.id not in await roles(face, team)


async def test_last_owner_cannot_leave(face: Face, team: Team) -> None:
    before = await roles(face, team)
    answer = await face.call("delete_membership", team.owner, id=team.memberships["owner"]["id"])
    assert (answer.problem, answer.status) == ("conflict", 409)
    assert await roles(face, team) == before


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_last_owner_cannot_demote_themself(face: Face, team: Team, role: str) -> None:
    before = await roles(face, team)
    answer = await face.call("update_membership", team.owner, {"role": role}, id=team.memberships["owner"]["id"])
    assert (answer.problem, answer.status) == ("conflict", 409)
    assert await roles(face, team) == before


async def test_owner_beside_another_may_demote_themself(face: Face, team: Team) -> None:
    await invite(face, team.owner, team.outsider, team.id, "owner")
    changed = await face.ok("update_membership", team.owner, {"role": "viewer"}, id=team.memberships["owner"]["id"])
    assert changed["role"] == "viewer"


async def test_owner_beside_another_may_leave(face: Face, team: Team) -> None:
    await invite(face, team.owner, team.outsider, team.id, "owner")
    await face.ok("delete_membership", team.owner, id=team.memberships["owner"]["id"])
    assert (await roles(face, team))[team.outsider.id] == "owner"


async def test_one_of_two_owners_who_leave_at_once_stays(face: Face, team: Team) -> None:
    second = await invite(face, team.owner, team.outsider, team.id, "owner")
    answers = await asyncio.gather(
        face.call("delete_membership", team.owner, id=team.memberships["owner"]["id"]),
        face.call("delete_membership", team.outsider, id=second["id"]),
    )
    assert sorted(answer.problem or "" for answer in answers) == ["", "conflict"]
    assert list((await roles(face, team)).values()).count("owner") == 1


async def test_two_owners_who_demote_each_other_at_once_leave_one(face: Face, team: Team) -> None:
    second = await invite(face, team.owner, team.outsider, team.id, "owner")
    answers = await asyncio.gather(
        face.call("update_membership", team.owner, {"role": "viewer"}, id=second["id"]),
        face.call("update_membership", team.outsider, {"role": "viewer"}, id=team.memberships["owner"]["id"]),
    )
    assert [answer.problem for answer in answers].count(None) == 1
    assert {answer.problem for answer in answers} <= {None, "conflict", "forbidden"}
    assert list((await roles(face, team)).values()).count("owner") == 1
