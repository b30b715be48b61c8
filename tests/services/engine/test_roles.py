"""What each role may do in a workspace: not readable is not found, readable but not allowed is forbidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.faces import Face, RestFace
from tests.support.factories import Row, Team, make_comment, make_item, make_label, make_team, unique, unknown_id

ROLES = ["owner", "editor", "viewer", "outsider"]
FORBIDDEN = {"viewer": "forbidden", "outsider": "not_found"}


@dataclass(frozen=True)
class Room:
    """A team's workspace with an item, a label on it, and the owner's comment on it."""

    team: Team
    item: Row
    label: Row
    comment: Row

    async def state(self, face: Face) -> list[Any]:
        """Everything in it, as its owner sees it."""
        here = {"workspace_id": self.team.id}
        lists = [
            await face.ok(name, self.team.owner, filter=here, limit=100)
            for name in ("list_items", "list_labels", "list_memberships")
        ]
        comments = await face.ok("list_comments", self.team.owner, filter={"item_id": self.item["id"]}, limit=100)
        return [*lists, comments, await face.ok("get_workspace", self.team.owner, id=self.team.id)]


@pytest.fixture(scope="module")
async def room(client: httpx.AsyncClient, gateway: Gateway) -> Room:
    """One for the tests that change nothing."""
    return await make_room(client, RestFace(client, gateway.catalogue))


async def make_room(client: httpx.AsyncClient, face: Face) -> Room:
    """A team with an item, a label and a comment."""
    team = await make_team(client, face)
    label = await make_label(face, team.owner, workspace_id=team.id)
    item = await make_item(face, team.owner, workspace_id=team.id, label_ids=[label["id"]])
    return Room(team, item, label, await make_comment(face, team.owner, item))


# Operations on a row: what they are called on, and with what.
ON_A_ROW: list[tuple[str, str, dict[str, Any]]] = [
    ("update_item", "item", {"title": "Changed"}),
    ("archive_item", "item", {}),
    ("attach_label", "item", {"label_id": "label"}),
    ("detach_label", "item", {"label_id": "label"}),
    ("delete_item", "item", {}),
    ("update_label", "label", {"name": "steel"}),
    ("delete_label", "label", {}),
]
CREATIONS: list[tuple[str, dict[str, Any]]] = [
    ("create_item", {"workspace_id": "workspace", "title": "New"}),
    ("create_label", {"workspace_id": "workspace", "name": "new"}),
    ("create_comment", {"item_id": "item", "body": "New"}),
]


def filled(room: Room, data: dict[str, Any]) -> dict[str, Any]:
    """An input with the room's identifiers put in."""
    known = {"label": room.label["id"], "item": room.item["id"], "workspace": room.team.id}
    return {key: known.get(value, value) if key.endswith("_id") else value for key, value in data.items()}


@pytest.mark.parametrize("role", ROLES[:3])
async def test_members_read_everything(face: Face, room: Room, role: str) -> None:
    account = room.team.account(role)
    for operation, row in (("get_item", room.item), ("get_label", room.label), ("get_comment", room.comment)):
        assert await face.ok(operation, account, id=row["id"]) == row
    assert (await face.ok("get_workspace", account, id=room.team.id)) == room.team.workspace
    members = await face.ok("list_memberships", account, filter={"workspace_id": room.team.id})
    assert {each["role"] for each in members["data"]} == {"owner", "editor", "viewer"}


async def test_outsiders_find_nothing(face: Face, room: Room) -> None:
    account, team = room.team.outsider, room.team
    rows = [("item", room.item), ("label", room.label), ("comment", room.comment), ("workspace", team.workspace)]
    for noun, row in [*rows, ("membership", team.memberships["owner"])]:
        answer = await face.call(f"get_{noun}", account, id=row["id"])
        assert (answer.problem, answer.status) == ("not_found", 404)
        listed = await face.ok(f"list_{noun}s", account, filter={"id": row["id"]}, count=True)
        assert listed == {"data": [], "page": {"has_next": False, "next": None, "total": 0}}


@pytest.mark.parametrize("role", ["viewer", "outsider"])
@pytest.mark.parametrize(("operation", "noun", "data"), ON_A_ROW, ids=[name for name, _, _ in ON_A_ROW])
async def test_row_is_not_changed_without_the_role(
    face: Face, room: Room, role: str, operation: str, noun: str, data: dict[str, Any]
) -> None:
    before, row = await room.state(face), getattr(room, noun)
    answer = await face.call(operation, room.team.account(role), filled(room, data), id=row["id"])
    assert answer.problem == FORBIDDEN[role]
    assert await room.state(face) == before


@pytest.mark.parametrize("role", ["editor", "owner"])
async def test_row_is_changed_with_the_role(face: Face, client: httpx.AsyncClient, role: str) -> None:
    room = await make_room(client, face)
    for operation, noun, data in ON_A_ROW:
        row = getattr(room, noun)
        await face.ok(operation, room.team.account(role), filled(room, data), id=row["id"])
    assert (await face.ok("list_items", room.team.owner, filter={"workspace_id": room.team.id}))["data"] == []
    assert (await face.ok("list_labels", room.team.owner, filter={"workspace_id": room.team.id}))["data"] == []


@pytest.mark.parametrize(("operation", "data"), CREATIONS, ids=[name for name, _ in CREATIONS])
async def test_viewer_creates_nothing(face: Face, room: Room, operation: str, data: dict[str, Any]) -> None:
    before = await room.state(face)
    answer = await face.call(operation, room.team.viewer, filled(room, data))
    assert (answer.problem, answer.status) == ("forbidden", 403)
    assert await room.state(face) == before


@pytest.mark.parametrize(("operation", "data"), CREATIONS, ids=[name for name, _ in CREATIONS])
async def test_outsider_creates_nothing_and_learns_nothing(
    face: Face, room: Room, operation: str, data: dict[str, Any]
) -> None:
    before = await room.state(face)
    field, prefix = ("item_id", "itm") if operation == "create_comment" else ("workspace_id", "wsp")
    answers = [
        await face.call(operation, room.team.outsider, {**filled(room, data), **other})
        for other in ({}, {field: unknown_id(prefix)})
    ]
    assert (answers[0].problem, answers[0].errors) == ("validation_failed", {field: "not_found"})
    assert answers[0] == answers[1]
    assert await room.state(face) == before


@pytest.mark.parametrize("role", ["editor", "owner"])
@pytest.mark.parametrize(("operation", "data"), CREATIONS, ids=[name for name, _ in CREATIONS])
async def test_editors_and_owners_create(
    face: Face, client: httpx.AsyncClient, role: str, operation: str, data: dict[str, Any]
) -> None:
    room = await make_room(client, face)
    made = await face.ok(operation, room.team.account(role), filled(room, data))
    assert await face.ok(operation.replace("create", "get"), room.team.viewer, id=made["id"]) == made


@pytest.mark.parametrize("role", ["editor", "viewer", "outsider"])
@pytest.mark.parametrize("operation", ["update_workspace", "delete_workspace"])
async def test_workspace_is_its_owners(face: Face, room: Room, role: str, operation: str) -> None:
    before = await room.state(face)
    data = {"name": "Mine"} if operation == "update_workspace" else {}
    answer = await face.call(operation, room.team.account(role), data, id=room.team.id)
    assert answer.problem == ("not_found" if role == "outsider" else "forbidden")
    assert await room.state(face) == before


async def test_owner_renames_and_deletes_a_workspace_with_all_that_is_in_it(
    face: Face, client: httpx.AsyncClient
) -> None:
    room = await make_room(client, face)
    slug = unique("mill")
    changed = await face.ok("update_workspace", room.team.owner, {"name": "Mill", "slug": slug}, id=room.team.id)
    assert (changed["name"], changed["slug"]) == ("Mill", slug)
    await face.ok("update_item", room.team.owner, {"assignee_id": room.team.editor.id}, id=room.item["id"])
    await face.ok("delete_workspace", room.team.owner, id=room.team.id)
    rows = [("item", room.item), ("label", room.label), ("comment", room.comment), ("workspace", changed)]
    for noun, row in rows:
        assert (await face.call(f"get_{noun}", room.team.owner, id=row["id"])).problem == "not_found"
