"""What a deletion changes or takes with it counts as changed and deleted: rows, versions, audit."""

from __future__ import annotations

from typing import Any

import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.audit import Event, event, recorded
from tests.support.faces import Face
from tests.support.factories import Row, Team, insert_items, key_of, make_comment, make_item, make_key, make_label
from tests.support.statements import statements
from tests.support.uploads import make_file

UNCHANGED = ("title", "description", "status", "priority", "due_at", "creator_id", "created_at", "workspace_id")


class Cause:
    """The events of one deletion: of the row itself, and of those that it affects."""

    def __init__(self, gateway: Gateway, team: Team, operation: str, row: Row) -> None:
        self.gateway, self.team, self.operation, self.row = gateway, team, operation, row

    def of(self, resource: str, row: Row, **more: Any) -> Event:
        where = {"workspace_id": key_of(self.team.id), **more}
        about = {"resource": resource, "resource_id": row["id"], "caused_by": self.row["id"], **where}
        return event(self.gateway, self.team.owner, self.operation, **about)

    @property
    def itself(self) -> Event:
        noun = self.operation.removeprefix("delete_")
        return {**self.of(noun, self.row), "caused_by": None}


def in_order(events: list[Event]) -> list[Event]:
    """By what they are about: of the rows that one deletion affects, none is before the others."""
    return sorted(events, key=lambda each: (each["resource"], each["resource_id"], each["changed"]))


async def has_changed(face: Face, actor: Account, item: Row, **fields: Any) -> None:
    """The item is as it was but for these fields, and whoever asks whether it has changed is told so."""
    found = await face.ok("get_item", actor, id=item["id"])
    assert {name: found[name] for name in fields} == fields
    assert {name: found[name] for name in UNCHANGED} == {name: item[name] for name in UNCHANGED}
    assert found["version"] == item["version"] + 1
    assert found["updated_at"] > item["updated_at"]
    since = await face.ok(
        "list_items", actor, filter={"id": {"eq": item["id"]}, "updated_at": {"gt": item["updated_at"]}}
    )
    assert [each["id"] for each in since["data"]] == [item["id"]]


async def test_children_of_a_deleted_item_are_changed(face: Face, gateway: Gateway, team: Team) -> None:
    parent = await make_item(face, team.owner, workspace_id=team.id)
    child, other = [
        await make_item(face, team.owner, workspace_id=team.id, parent_id=above) for above in (parent["id"], None)
    ]
    grandchild = await make_item(face, team.owner, workspace_id=team.id, parent_id=child["id"])
    tag = await face.version("get_item", team.owner, child["id"])
    async with recorded(gateway) as events:
        await face.ok("delete_item", team.owner, id=parent["id"])
    await has_changed(face, team.viewer, child, parent_id=None)
    assert await face.version("get_item", team.owner, child["id"]) != tag
    for untouched in (other, grandchild):
        assert await face.ok("get_item", team.owner, id=untouched["id"]) == untouched
    cause = Cause(gateway, team, "delete_item", parent)
    assert events == [cause.of("item", child, changed=["parent_id"]), cause.itself]


async def test_comments_that_go_with_their_item_are_recorded_as_deleted(
    face: Face, gateway: Gateway, team: Team
) -> None:
    item, other = [await make_item(face, team.owner, workspace_id=team.id) for _ in range(2)]
    comments = [await make_comment(face, actor, item) for actor in (team.owner, team.editor)]
    kept = await make_comment(face, team.owner, other)
    async with recorded(gateway) as events:
        await face.ok("delete_item", team.owner, id=item["id"])
    assert (
        await face.ok(
            "list_comments", team.owner, filter={"id": {"in": [kept["id"], *(each["id"] for each in comments)]}}
        )
    )["data"] == [kept]
    cause = Cause(gateway, team, "delete_item", item)
    assert in_order(events[:-1]) == in_order([cause.of("comment", each) for each in comments])
    assert events[-1] == cause.itself


async def test_items_that_lose_a_label_are_changed(face: Face, gateway: Gateway, team: Team) -> None:
    label, kept = [await make_label(face, team.owner, name, workspace_id=team.id) for name in ("brass", "steel")]
    marked, other = [
        await make_item(face, team.owner, workspace_id=team.id, label_ids=[each["id"] for each in labels])
        for labels in ([label, kept], [kept])
    ]
    async with recorded(gateway) as events:
        await face.ok("delete_label", team.owner, id=label["id"])
    await has_changed(face, team.viewer, marked)
    assert await face.ok("get_item", team.owner, id=other["id"]) == other
    assert await face.ok("get_label", team.owner, id=kept["id"]) == kept
    cause = Cause(gateway, team, "delete_label", label)
    assert events == [cause.of("item", marked, changed=["labels"]), cause.itself]


async def test_label_of_a_deleted_item_is_not_changed(face: Face, gateway: Gateway, team: Team) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    item = await make_item(face, team.owner, workspace_id=team.id, label_ids=[label["id"]])
    async with recorded(gateway) as events:
        await face.ok("delete_item", team.owner, id=item["id"])
    assert await face.ok("get_label", team.owner, id=label["id"]) == label
    assert events == [Cause(gateway, team, "delete_item", item).itself]


async def test_what_a_deleted_file_was_attached_to_is_changed(face: Face, gateway: Gateway, team: Team) -> None:
    file = await make_file(face, team.owner, workspace_id=team.id)
    item = await make_item(face, team.owner, workspace_id=team.id)
    comment = await make_comment(face, team.owner, item)
    item = await face.ok("attach_file", team.owner, {"file_id": file["id"]}, id=item["id"])
    comment = await face.ok("attach_comment_file", team.owner, {"file_id": file["id"]}, id=comment["id"])
    user = await face.ok("set_avatar", team.owner, {"file_id": file["id"]}, id=team.owner.id)
    async with recorded(gateway) as events:
        await face.ok("delete_file", team.owner, id=file["id"])
    await has_changed(face, team.viewer, item)
    assert (await face.ok("get_comment", team.owner, id=comment["id"]))["updated_at"] > comment["updated_at"]
    found = await face.ok("get_user", team.owner, id=team.owner.id)
    assert (user["avatar_id"], found["avatar_id"]) == (file["id"], None)
    cause = Cause(gateway, team, "delete_file", file)
    assert in_order(events[:-1]) == in_order([
        cause.of("item", item, changed=["files"]), cause.of("comment", comment, changed=["files"]),
        cause.of("user", user, changed=["avatar_id"], workspace_id=None),
    ])  # fmt: skip
    assert events[-1] == cause.itself


async def test_items_assigned_to_a_member_who_leaves_are_changed(face: Face, gateway: Gateway, team: Team) -> None:
    member = team.memberships["editor"]
    theirs, other = [
        await make_item(face, team.owner, workspace_id=team.id, assignee_id=who.id) for who in (team.editor, team.owner)
    ]
    async with recorded(gateway) as events:
        await face.ok("delete_membership", team.owner, id=member["id"])
    await has_changed(face, team.viewer, theirs, assignee_id=None)
    assert await face.ok("get_item", team.owner, id=other["id"]) == other
    cause = Cause(gateway, team, "delete_membership", member)
    assert events == [cause.of("item", theirs, changed=["assignee_id"]), cause.itself]


async def test_all_that_goes_with_a_workspace_is_recorded_once(face: Face, gateway: Gateway, team: Team) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    file = await make_file(face, team.owner, workspace_id=team.id)
    parent = await make_item(face, team.owner, workspace_id=team.id, assignee_id=team.editor.id)
    more = {"parent_id": parent["id"], "label_ids": [label["id"]], "assignee_id": team.owner.id}
    child = await make_item(face, team.owner, workspace_id=team.id, **more)
    await face.ok("attach_file", team.owner, {"file_id": file["id"]}, id=child["id"])
    comment = await make_comment(face, team.editor, child)
    key = await make_key(face, team.owner, workspace_id=team.id)
    user = await face.ok("set_avatar", team.owner, {"file_id": file["id"]}, id=team.owner.id)
    async with recorded(gateway) as events:
        await face.ok("delete_workspace", team.owner, id=team.id)
    cause = Cause(gateway, team, "delete_workspace", team.workspace)
    gone = [("item", parent), ("item", child), ("comment", comment), ("label", label), ("file", file)]
    gone += [("membership", each) for each in team.memberships.values()]
    assert in_order(events[:-1]) == in_order([
        *(cause.of(noun, row) for noun, row in gone), cause.of("api_key", {"id": key.key_id}),
        cause.of("user", user, changed=["avatar_id"], workspace_id=None),
    ])  # fmt: skip
    assert events[-1] == cause.itself


async def test_key_that_goes_with_its_workspace_is_refused_at_once(face: Face, team: Team) -> None:
    key = await make_key(face, team.owner, workspace_id=team.id)
    assert (await face.ok("get_workspace", key, id=team.id))["id"] == team.id
    await face.ok("delete_workspace", team.owner, id=team.id)
    assert (await face.call("list_items", key)).problem == "invalid_token"


async def test_deletions_of_a_batch_are_followed_each(face: Face, gateway: Gateway, team: Team) -> None:
    parent, above = [await make_item(face, team.owner, workspace_id=team.id) for _ in range(2)]
    child = await make_item(face, team.owner, workspace_id=team.id, parent_id=parent["id"])
    comment = await make_comment(face, team.owner, above)
    entries = [{"delete": {"id": each["id"]}} for each in (parent, above)]
    async with recorded(gateway) as events:
        await face.ok("batch_items", team.owner, {"operations": entries})
    await has_changed(face, team.viewer, child, parent_id=None)
    first, second = (Cause(gateway, team, "delete_item", each) for each in (parent, above))
    assert events == [
        first.of("item", child, changed=["parent_id"]), first.itself, second.of("comment", comment), second.itself
    ]  # fmt: skip


async def test_what_a_refused_deletion_would_have_changed_is_as_it_was(
    face: Face, gateway: Gateway, team: Team
) -> None:
    parent = await make_item(face, team.owner, workspace_id=team.id)
    child = await make_item(face, team.owner, workspace_id=team.id, parent_id=parent["id"])
    async with recorded(gateway) as events:
        assert (await face.call("delete_item", team.viewer, id=parent["id"])).problem == "forbidden"
        assert (await face.call("delete_item", team.outsider, id=parent["id"])).problem == "not_found"
        failed = await face.call("delete_item", team.owner, id=parent["id"], expected="another")
        assert failed.problem == "precondition_failed"
    assert await face.ok("get_item", team.owner, id=child["id"]) == child
    assert [(each["operation"], each["problem"]) for each in events] == [("delete_item", "forbidden")]


@pytest.mark.parametrize("number", [1, 300])
async def test_statements_of_a_deletion_do_not_depend_on_how_many_rows_it_affects(
    face: Face, gateway: Gateway, team: Team, number: int
) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    parent = await make_item(face, team.owner, workspace_id=team.id)
    await insert_items(gateway, team.owner, team.workspace, [{"parent_id": key_of(parent["id"])}] * number)
    await make_item(face, team.owner, workspace_id=team.id, label_ids=[label["id"]])
    sent = {}
    for noun, row in (("item", parent), ("label", label), ("workspace", team.workspace)):
        with statements(gateway) as found:
            await face.ok(f"delete_{noun}", team.owner, id=row["id"])
        sent[noun] = len(found)
    # Each loads its row, deletes it and records itself. An item looks for what hangs on it, and changes its children; a
    # label likewise; a workspace looks at itself, its members and its items, and has these two recorded.
    assert sent == {"item": 5, "label": 5, "workspace": 8}


async def test_owners_read_what_went_with_what_in_their_workspace(face: Face, team: Team) -> None:
    item = await make_item(face, team.owner, workspace_id=team.id)
    comment = await make_comment(face, team.owner, item)
    await face.ok("delete_item", team.editor, id=item["id"])
    wanted = {"caused_by": {"eq": item["id"]}}
    (found,) = (await face.ok("list_audit_events", team.owner, filter=wanted))["data"]
    about = {name: found[name] for name in ("operation", "resource", "resource_id", "user_id", "workspace_id")}
    assert about == {
        "operation": "delete_item", "resource": "comment", "resource_id": comment["id"], "user_id": team.editor.id,
        "workspace_id": team.id,
    }  # fmt: skip
    for actor in (team.editor, team.viewer, team.outsider):
        assert (await face.ok("list_audit_events", actor, filter=wanted))["data"] == []
