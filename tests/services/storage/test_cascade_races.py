"""Deletions that meet other writes: nothing hangs on what is deleted, is changed twice, or waits in a circle."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete, select, update

from services.engine.gateway import Gateway
from services.sample.items.models import Item
from tests.support.accounts import Account
from tests.support.audit import recorded
from tests.support.faces import Face
from tests.support.factories import Row, key_of, make_comment, make_item, make_label, make_workspace
from tests.support.races import held_up

ROUNDS = 8


@pytest.fixture
async def parent(face: Face, ada: Account) -> Row:
    return await make_item(face, ada, "parent")


@pytest.fixture
async def child(face: Face, ada: Account, parent: Row) -> Row:
    return await make_item(face, ada, "child", parent_id=parent["id"])


async def test_child_that_comes_while_its_parent_is_deleted_is_refused(
    face: Face, gateway: Gateway, ada: Account, parent: Row, child: Row
) -> None:
    async with gateway.database.unit_of_work() as session:
        await session.execute(select(Item.id).where(Item.id == key_of(child["id"])).with_for_update())
        # It has looked for children, and waits for this one.
        deletion = await held_up(gateway, face.call("delete_item", ada, id=parent["id"]))
        late = face.call("create_item", ada, {"title": "late", "parent_id": parent["id"]})
        creation = await held_up(gateway, late, number=2)
        await session.rollback()
    assert (await deletion).problem is None
    answer = await creation
    assert (answer.problem, answer.errors) == ("validation_failed", {"parent_id": "not_found"})
    (left,) = (await face.ok("list_items", ada))["data"]
    assert (left["id"], left["parent_id"], left["version"]) == (child["id"], None, child["version"] + 1)


async def test_comment_that_comes_while_its_workspace_is_deleted_is_refused(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    """The item that it is about hangs on the workspace, and is locked before its comments are looked for."""
    workspace = await make_workspace(face, ada)
    item = await make_item(face, ada, workspace_id=workspace["id"])
    comment = await make_comment(face, ada, item)
    async with gateway.database.unit_of_work() as session, recorded(gateway) as events:
        held = gateway.catalogue.resources["comment"].table
        await session.execute(select(held.c.id).where(held.c.id == key_of(comment["id"])).with_for_update())
        deletion = await held_up(gateway, face.call("delete_workspace", ada, id=workspace["id"]))
        late = face.call("create_comment", ada, {"item_id": item["id"], "body": "late"})
        creation = await held_up(gateway, late, number=2)
        await session.rollback()
        assert (await deletion).problem is None
        assert (await creation).problem == "validation_failed"
    assert [each["resource_id"] for each in events if each["resource"] == "comment"] == [comment["id"]]


async def test_child_that_has_moved_away_meanwhile_is_not_changed(
    face: Face, gateway: Gateway, ada: Account, parent: Row, child: Row
) -> None:
    other = await make_item(face, ada, "other")
    async with recorded(gateway) as events:
        async with gateway.database.unit_of_work() as session:
            moved = update(Item).where(Item.id == key_of(child["id"]))
            await session.execute(moved.values(parent_id=key_of(other["id"]), version=Item.version + 1))
            deletion = await held_up(gateway, face.call("delete_item", ada, id=parent["id"]))
            await session.commit()
        assert (await deletion).problem is None
    found = await face.ok("get_item", ada, id=child["id"])
    assert (found["parent_id"], found["version"]) == (other["id"], child["version"] + 1)
    assert [each["resource_id"] for each in events] == [parent["id"]]


async def test_child_that_has_gone_meanwhile_is_not_changed(
    face: Face, gateway: Gateway, ada: Account, parent: Row, child: Row
) -> None:
    async with recorded(gateway) as events:
        async with gateway.database.unit_of_work() as session:
            await session.execute(delete(Item).where(Item.id == key_of(child["id"])))
            deletion = await held_up(gateway, face.call("delete_item", ada, id=parent["id"]))
            await session.commit()
        assert (await deletion).problem is None
    assert [each["resource_id"] for each in events] == [parent["id"]]


async def test_change_of_a_child_that_waits_for_the_deletion_finds_it_without_parent(
    face: Face, gateway: Gateway, ada: Account, parent: Row, child: Row
) -> None:
    other = await make_item(face, ada, "other", parent_id=parent["id"])
    async with gateway.database.unit_of_work() as session:
        # The children are locked in their order, so that the deletion has the first when it waits for the second.
        await session.execute(select(Item.id).where(Item.id == key_of(other["id"])).with_for_update())
        deletion = await held_up(gateway, face.call("delete_item", ada, id=parent["id"]))
        change = await held_up(gateway, face.call("update_item", ada, {"title": "new"}, id=child["id"]), number=2)
        await session.rollback()
    assert (await deletion).problem is None
    found = (await change).data
    assert (found["title"], found["parent_id"], found["version"]) == ("new", None, child["version"] + 2)


async def test_parents_and_children_are_deleted_at_once(face: Face, ada: Account) -> None:
    for _ in range(ROUNDS):
        above = await make_item(face, ada)
        rows = [above, *[await make_item(face, ada, parent_id=above["id"]) for _ in range(3)]]
        answers = await asyncio.gather(*(face.call("delete_item", ada, id=each["id"]) for each in rows))
        assert [each.problem for each in answers] == [None] * len(rows)
    assert (await face.ok("list_items", ada))["data"] == []


async def test_labels_and_items_that_have_them_are_deleted_at_once(face: Face, ada: Account) -> None:
    for number in range(ROUNDS):
        labels = [await make_label(face, ada, f"{name} {number}") for name in ("brass", "steel")]
        ids = [each["id"] for each in labels]
        items = [await make_item(face, ada, label_ids=ids) for _ in range(3)]
        calls = [face.call("delete_label", ada, id=id) for id in ids]
        calls += [face.call("delete_item", ada, id=each["id"]) for each in items[:2]]
        answers = await asyncio.gather(*calls)
        assert [each.problem for each in answers] == [None] * len(calls)
        left = await face.ok("get_item", ada, id=items[2]["id"])
        assert left["version"] == items[2]["version"] + 2


async def test_row_is_deleted_and_recorded_once_when_its_workspace_goes_at_the_same_time(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    for _ in range(ROUNDS):
        workspace = await make_workspace(face, ada)
        items = [await make_item(face, ada, workspace_id=workspace["id"]) for _ in range(3)]
        async with recorded(gateway) as events:
            calls = [face.call("delete_item", ada, id=each["id"]) for each in items]
            answers = await asyncio.gather(*calls, face.call("delete_workspace", ada, id=workspace["id"]))
        assert answers[-1].problem is None
        assert {each.problem for each in answers} <= {None, "not_found"}
        gone = sorted(each["resource_id"] for each in events if each["resource"] == "item")
        assert gone == sorted(each["id"] for each in items)
