"""Comments: authors change their own, owners of the workspace delete any."""

from __future__ import annotations

import pytest

from tests.support.faces import Face
from tests.support.factories import Row, Team, make_comment, make_item


@pytest.fixture
async def item(face: Face, team: Team) -> Row:
    """An item of the team."""
    return await make_item(face, team.owner, workspace_id=team.id)


async def test_comment_is_of_its_author_and_item(face: Face, team: Team, item: Row) -> None:
    made = await face.ok("create_comment", team.editor, {"item_id": item["id"], "body": "  Paid. "})
    assert (made["item_id"], made["author_id"], made["body"]) == (item["id"], team.editor.id, "Paid.")


async def test_author_changes_and_deletes_their_own(face: Face, team: Team, item: Row) -> None:
    comment = await make_comment(face, team.editor, item)
    changed = await face.ok("update_comment", team.editor, {"body": "Paid."}, id=comment["id"])
    assert (changed["body"], changed["created_at"]) == ("Paid.", comment["created_at"])
    assert changed["updated_at"] > comment["updated_at"]
    await face.ok("delete_comment", team.editor, id=comment["id"])
    assert (await face.call("get_comment", team.editor, id=comment["id"])).problem == "not_found"


@pytest.mark.parametrize(
    ("role", "problem"), [("owner", "forbidden"), ("viewer", "forbidden"), ("outsider", "not_found")]
)
async def test_nobody_changes_the_words_of_another(face: Face, team: Team, item: Row, role: str, problem: str) -> None:
    comment = await make_comment(face, team.editor, item)
    answer = await face.call("update_comment", team.account(role), {"body": "Never said"}, id=comment["id"])
    assert answer.problem == problem
    assert await face.ok("get_comment", team.editor, id=comment["id"]) == comment


async def test_owner_deletes_any(face: Face, team: Team, item: Row) -> None:
    comment = await make_comment(face, team.editor, item)
    await face.ok("delete_comment", team.owner, id=comment["id"])
    assert (await face.ok("list_comments", team.editor))["data"] == []


@pytest.mark.parametrize(
    ("role", "problem"), [("editor", "forbidden"), ("viewer", "forbidden"), ("outsider", "not_found")]
)
async def test_others_delete_nothing(face: Face, team: Team, item: Row, role: str, problem: str) -> None:
    comment = await make_comment(face, team.owner, item)
    assert (await face.call("delete_comment", team.account(role), id=comment["id"])).problem == problem
    assert await face.ok("get_comment", team.owner, id=comment["id"]) == comment


async def test_author_who_left_reaches_their_comment_no_more(face: Face, team: Team, item: Row) -> None:
    comment = await make_comment(face, team.editor, item)
    await face.ok("delete_membership", team.editor, id=team.memberships["editor"]["id"])
    for operation, data in (("update_comment", {"body": "Bye"}), ("delete_comment", {})):
        assert (await face.call(operation, team.editor, data, id=comment["id"])).problem == "not_found"
    assert await face.ok("get_comment", team.owner, id=comment["id"]) == comment


async def test_comments_go_with_their_item(face: Face, team: Team, item: Row) -> None:
    comment = await make_comment(face, team.editor, item)
    await face.ok("delete_item", team.owner, id=item["id"])
    assert (await face.call("get_comment", team.editor, id=comment["id"])).problem == "not_found"
