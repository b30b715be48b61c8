"""Items: defaults, the tree, assignees, versions, archiving."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import Row, Team, invite, make_item, make_label, make_workspace, personal_workspace


async def test_title_is_enough_for_an_item(face: Face, ada: Account) -> None:
    made = await face.ok("create_item", ada, {"title": "  Wheel "})
    own = await personal_workspace(face, ada)
    assert {name: made[name] for name in made if name not in ("id", "created_at", "updated_at")} == {
        "workspace_id": own["id"], "title": "Wheel", "description": None, "status": "open", "priority": 0,
        "due_at": None, "creator_id": ada.id, "assignee_id": None, "parent_id": None, "version": 1,
    }  # fmt: skip
    assert made["created_at"] == made["updated_at"]


async def test_everything_can_be_given_at_once(face: Face, team: Team) -> None:
    parent = await make_item(face, team.owner, workspace_id=team.id)
    label = await make_label(face, team.owner, workspace_id=team.id)
    data = {
        "workspace_id": team.id, "title": "Wheel", "description": "Of brass", "status": "in_progress", "priority": 4,
        "due_at": "2030-01-31T12:00:00.000001Z", "assignee_id": team.viewer.id, "parent_id": parent["id"],
    }  # fmt: skip
    made = await face.ok("create_item", team.editor, {**data, "label_ids": [label["id"]]})
    assert {name: made[name] for name in data} == data
    labelled = await face.ok("detach_label", team.editor, {"label_id": label["id"]}, id=made["id"])
    assert labelled["id"] == made["id"]


async def test_version_grows_with_every_change_and_only_then(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    changes: list[dict[str, Any]] = [{"title": "Lever"}, {"priority": 1, "description": "x"}, {}, {"title": "Lever"}]
    versions = [(await face.ok("update_item", ada, data, id=item["id"]))["version"] for data in changes]
    assert [item["version"], *versions] == [1, 2, 3, 3, 3]


async def test_concurrent_changes_are_all_counted(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    await asyncio.gather(*(face.ok("update_item", ada, {"title": f"Wheel {n}"}, id=item["id"]) for n in range(4)))
    assert (await face.ok("get_item", ada, id=item["id"]))["version"] == 5


async def test_archiving_twice_is_archiving_once(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    first = await face.ok("archive_item", ada, id=item["id"])
    assert (first["status"], first["version"]) == ("archived", 2)
    assert await face.ok("archive_item", ada, id=item["id"]) == first
    assert await face.ok("get_item", ada, id=item["id"]) == first


async def test_due_date_is_cleared_by_null_and_kept_when_left_out(face: Face, ada: Account) -> None:
    item = await make_item(face, ada, due_at="2030-01-31T12:00:00Z")
    assert (await face.ok("update_item", ada, {"title": "Lever"}, id=item["id"]))["due_at"] == (
        "2030-01-31T12:00:00.000000Z"
    )
    assert (await face.ok("update_item", ada, {"due_at": None}, id=item["id"]))["due_at"] is None


async def chain(face: Face, ada: Account, length: int) -> list[Row]:
    """Items, each below the one before."""
    found = [await make_item(face, ada, "0")]
    for number in range(1, length):
        found.append(await make_item(face, ada, str(number), parent_id=found[-1]["id"]))
    return found


@pytest.mark.parametrize("below", [0, 1, 2], ids=["itself", "its child", "its grandchild"])
async def test_item_cannot_be_below(face: Face, ada: Account, below: int) -> None:
    items = await chain(face, ada, 3)
    answer = await face.call("update_item", ada, {"parent_id": items[below]["id"]}, id=items[0]["id"])
    assert (answer.problem, answer.errors) == ("validation_failed", {"parent_id": "conflict"})
    assert await face.ok("get_item", ada, id=items[0]["id"]) == items[0]


async def test_two_moves_at_once_do_not_close_a_circle(face: Face, ada: Account) -> None:
    one, two = await make_item(face, ada, "one"), await make_item(face, ada, "two")
    answers = await asyncio.gather(
        face.call("update_item", ada, {"parent_id": two["id"]}, id=one["id"]),
        face.call("update_item", ada, {"parent_id": one["id"]}, id=two["id"]),
    )
    assert sorted(answer.problem or "" for answer in answers) == ["", "validation_failed"]
    parents = [(await face.ok("get_item", ada, id=each["id"]))["parent_id"] for each in (one, two)]
    assert parents.count(None) == 1


async def test_two_moves_at_once_lower_in_the_tree_do_not_close_a_circle(face: Face, ada: Account) -> None:
    left, right = await chain(face, ada, 2), await chain(face, ada, 2)
    answers = await asyncio.gather(
        face.call("update_item", ada, {"parent_id": right[1]["id"]}, id=left[0]["id"]),
        face.call("update_item", ada, {"parent_id": left[1]["id"]}, id=right[0]["id"]),
    )
    assert sorted(answer.problem or "" for answer in answers) == ["", "validation_failed"]


async def test_children_of_a_deleted_item_move_to_the_top(face: Face, ada: Account) -> None:
    top, middle, bottom = await chain(face, ada, 3)
    await face.ok("delete_item", ada, id=middle["id"])
    found = {row["id"]: row["parent_id"] for row in (await face.ok("list_items", ada))["data"]}
    assert found == {top["id"]: None, bottom["id"]: None}


@pytest.mark.parametrize("operation", ["create_item", "update_item"])
async def test_parent_is_of_the_same_workspace(face: Face, ada: Account, operation: str) -> None:
    other = await make_workspace(face, ada)
    elsewhere = await make_item(face, ada, "elsewhere", workspace_id=other["id"])
    item = await make_item(face, ada, "here")
    before = await face.ok("list_items", ada, limit=100)
    data = {"title": "new", "parent_id": elsewhere["id"]}
    answer = await face.call(operation, ada, data, id=item["id"] if operation == "update_item" else None)
    assert (answer.problem, answer.errors) == ("validation_failed", {"parent_id": "not_found"})
    assert await face.ok("list_items", ada, limit=100) == before


@pytest.mark.parametrize("operation", ["create_item", "update_item"])
async def test_assignee_is_a_member_of_the_workspace(face: Face, team: Team, operation: str) -> None:
    item = await make_item(face, team.owner, workspace_id=team.id)
    before = await face.ok("list_items", team.owner, limit=100)
    data = {"title": "new", "assignee_id": team.outsider.id}
    whole = {**data, "workspace_id": team.id} if operation == "create_item" else data
    answer = await face.call(operation, team.owner, whole, id=item["id"] if operation == "update_item" else None)
    assert (answer.problem, answer.errors) == ("validation_failed", {"assignee_id": "not_found"})
    assert await face.ok("list_items", team.owner, limit=100) == before


async def test_label_on_creation_is_of_the_same_workspace(face: Face, ada: Account) -> None:
    other = await make_workspace(face, ada)
    label = await make_label(face, ada, workspace_id=other["id"])
    own = await make_label(face, ada, "own")
    answer = await face.call("create_item", ada, {"title": "new", "label_ids": [own["id"], label["id"]]})
    assert answer.problem == "validation_failed"
    assert {name.partition("[")[0] for name in answer.errors or {}} == {"label_ids"}
    assert (await face.ok("list_items", ada))["data"] == []


@pytest.mark.parametrize("how", ["leaves", "is removed"])
async def test_assignee_is_cleared_when_they_leave(face: Face, team: Team, how: str) -> None:
    item = await make_item(face, team.owner, workspace_id=team.id, assignee_id=team.editor.id)
    kept = await make_item(face, team.owner, workspace_id=team.id, assignee_id=team.viewer.id)
    actor = team.editor if how == "leaves" else team.owner
    await face.ok("delete_membership", actor, id=team.memberships["editor"]["id"])
    found = [(await face.ok("get_item", team.owner, id=each["id"]))["assignee_id"] for each in (item, kept)]
    assert found == [None, team.viewer.id]


async def test_creator_who_left_is_still_named(face: Face, team: Team) -> None:
    item = await make_item(face, team.editor, workspace_id=team.id)
    await face.ok("delete_membership", team.editor, id=team.memberships["editor"]["id"])
    assert (await face.ok("get_item", team.owner, id=item["id"]))["creator_id"] == team.editor.id
    assert (await face.call("get_item", team.editor, id=item["id"])).problem == "not_found"
    await invite(face, team.owner, team.editor, team.id, "viewer")
    assert (await face.ok("get_item", team.editor, id=item["id"]))["creator_id"] == team.editor.id
