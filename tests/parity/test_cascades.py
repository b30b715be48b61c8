"""What a deletion changes or takes with it counts as changed and deleted: rows, versions, audit."""

from __future__ import annotations

from services.execution import Gateway
from tests.support.audit import event, recorded
from tests.support.faces import Face
from tests.support.factories import Team, key_of, make_item


async def test_children_of_a_deleted_item_are_changed(face: Face, gateway: Gateway, team: Team) -> None:
    parent = await make_item(face, team.editor, workspace_id=team.id)
    child = await make_item(face, team.editor, workspace_id=team.id, parent_id=parent["id"])
    tag = await face.version("get_item", team.editor, child["id"])
    async with recorded(gateway) as events:
        await face.ok("delete_item", team.editor, id=parent["id"])
    found = await face.ok("get_item", team.editor, id=child["id"])
    assert (found["parent_id"], found["version"]) == (None, child["version"] + 1)
    assert found["updated_at"] > child["updated_at"]
    assert await face.version("get_item", team.editor, child["id"]) != tag
    about = {"resource": "item", "workspace_id": key_of(team.id)}
    assert events == [
        event(gateway, team.editor, "delete_item", **about, resource_id=child["id"], caused_by=parent["id"],
              changed=["parent_id"]),
        event(gateway, team.editor, "delete_item", **about, resource_id=parent["id"]),
    ]  # fmt: skip
