"""A personal workspace stays its user's, and every workspace keeps an owner who can act."""

from __future__ import annotations

from typing import Any

import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.apps import make_admin
from tests.support.faces import Face
from tests.support.factories import Row, Team, invite, make_comment, make_item, make_label, personal_workspace
from tests.support.state import unchanged


async def own_membership(face: Face, member: Account, workspace: Row) -> Row:
    """The member's place in a workspace."""
    tree = {"workspace_id": workspace["id"], "user_id": member.id}
    (found,) = (await face.ok("list_memberships", member, filter=tree))["data"]
    row: Row = found
    return row


TOUCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "remove": ("delete_membership", {}),
    "make editor": ("update_membership", {"role": "editor"}),
}


@pytest.mark.parametrize(("operation", "data"), TOUCHES.values(), ids=TOUCHES)
@pytest.mark.parametrize("who", ["the user", "a co-owner", "an admin"])
async def test_nobody_touches_the_user_in_their_personal_workspace(
    face: Face, gateway: Gateway, ada: Account, eve: Account, who: str, operation: str, data: dict[str, Any]
) -> None:
    workspace = await personal_workspace(face, ada)
    own = await own_membership(face, ada, workspace)
    await invite(face, ada, eve, workspace["id"], "owner")
    actor = ada if who == "the user" else eve if who == "a co-owner" else await make_admin(gateway, face.client, eve)
    async with unchanged(gateway):
        answer = await face.call(operation, actor, data, id=own["id"])
    assert (answer.problem, answer.status) == ("conflict", 409)
    assert (await make_item(face, ada))["workspace_id"] == workspace["id"]
    assert (await make_label(face, ada))["workspace_id"] == workspace["id"]


async def test_guests_of_a_personal_workspace_come_and_go(face: Face, ada: Account, eve: Account) -> None:
    workspace = await personal_workspace(face, ada)
    guest = await invite(face, ada, eve, workspace["id"], "owner")
    assert (await face.ok("update_membership", ada, {"role": "editor"}, id=guest["id"]))["role"] == "editor"
    await face.ok("delete_membership", eve, id=guest["id"])
    assert (await face.call("get_workspace", eve, id=workspace["id"])).problem == "not_found"
    assert (await make_item(face, ada))["workspace_id"] == workspace["id"]


@pytest.mark.parametrize("data", [{}, {"role": "owner"}])
async def test_last_owner_changed_to_what_they_are_is_fine(face: Face, team: Team, data: dict[str, Any]) -> None:
    own = team.memberships["owner"]
    assert await face.ok("update_membership", team.owner, data, id=own["id"]) == own
    assert await face.ok("get_membership", team.owner, id=own["id"]) == own


@pytest.mark.parametrize("data", [{}, {"role": "owner"}])
async def test_user_in_their_personal_workspace_likewise(face: Face, ada: Account, data: dict[str, Any]) -> None:
    own = await own_membership(face, ada, await personal_workspace(face, ada))
    assert await face.ok("update_membership", ada, data, id=own["id"]) == own


@pytest.mark.parametrize(("operation", "data"), TOUCHES.values(), ids=TOUCHES)
async def test_deactivated_owner_does_not_count(
    face: Face, gateway: Gateway, team: Team, operation: str, data: dict[str, Any]
) -> None:
    await invite(face, team.owner, team.outsider, team.id, "owner")
    await face.ok("deactivate_user", team.outsider, id=team.outsider.id)
    async with unchanged(gateway):
        answer = await face.call(operation, team.owner, data, id=team.memberships["owner"]["id"])
    assert (answer.problem, answer.status) == ("conflict", 409)


@pytest.mark.parametrize(("operation", "data"), TOUCHES.values(), ids=TOUCHES)
async def test_deactivated_owner_can_be_removed_and_demoted(
    face: Face, team: Team, operation: str, data: dict[str, Any]
) -> None:
    second = await invite(face, team.owner, team.outsider, team.id, "owner")
    await face.ok("deactivate_user", team.outsider, id=team.outsider.id)
    await face.ok(operation, team.owner, data, id=second["id"])
    own = await own_membership(face, team.owner, team.workspace)
    assert own["role"] == "owner"


@pytest.mark.parametrize(("operation", "data"), TOUCHES.values(), ids=TOUCHES)
async def test_owner_beside_another_steps_down(face: Face, team: Team, operation: str, data: dict[str, Any]) -> None:
    await invite(face, team.owner, team.outsider, team.id, "owner")
    await face.ok(operation, team.owner, data, id=team.memberships["owner"]["id"])
    assert (await own_membership(face, team.outsider, team.workspace))["role"] == "owner"
    answer = await face.call("delete_membership", team.outsider, id=(await own_membership(
        face, team.outsider, team.workspace))["id"])  # fmt: skip
    assert answer.problem == "conflict"


@pytest.mark.parametrize(("operation", "data"), [("update_comment", {"body": "Changed"}), ("delete_comment", {})])
async def test_demoted_editor_keeps_their_hands_off_their_comments(
    face: Face, gateway: Gateway, team: Team, operation: str, data: dict[str, Any]
) -> None:
    item = await make_item(face, team.owner, workspace_id=team.id)
    comment = await make_comment(face, team.editor, item)
    await face.ok("update_membership", team.owner, {"role": "viewer"}, id=team.memberships["editor"]["id"])
    async with unchanged(gateway):
        answer = await face.call(operation, team.editor, data, id=comment["id"])
    assert (answer.problem, answer.status) == ("forbidden", 403)
    assert await face.ok("get_comment", team.editor, id=comment["id"]) == comment
    await face.ok("update_membership", team.owner, {"role": "editor"}, id=team.memberships["editor"]["id"])
    await face.ok(operation, team.editor, data, id=comment["id"])
