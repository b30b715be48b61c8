"""The session of the README, through each face."""

from __future__ import annotations

from tests.support.accounts import Account
from tests.support.faces import Face


async def test_item_is_created_read_changed_archived_and_deleted(face: Face, ada: Account) -> None:
    made = await face.ok("create_item", ada, {"title": "Order the brass wheels", "priority": 3})
    assert (made["title"], made["status"], made["priority"], made["version"]) == (
        "Order the brass wheels",
        "open",
        3,
        1,
    )
    assert await face.ok("get_item", ada, id=made["id"]) == made
    changed = await face.ok(
        "update_item", ada, {"title": "Order the wheels", "due_at": "2030-01-31T12:00:00+01:00"}, id=made["id"]
    )
    assert (changed["title"], changed["due_at"], changed["version"]) == (
        "Order the wheels",
        "2030-01-31T11:00:00.000000Z",
        2,
    )
    archived = await face.ok("archive_item", ada, id=made["id"])
    assert (archived["status"], archived["version"]) == ("archived", 3)
    listed = await face.ok("list_items", ada, filter={"status": {"eq": "archived"}}, sort=["-due_at"], count=True)
    assert listed == {"data": [archived], "page": {"has_next": False, "next": None, "total": 1}}
    await face.ok("delete_item", ada, id=made["id"])
    assert (await face.call("get_item", ada, id=made["id"])).problem == "not_found"
