"""An item's version and its last change: they grow with what changes it, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face
from tests.support.factories import Row, make_comment, make_item, make_label


@pytest.fixture
async def label(face: Face, ada: Account) -> Row:
    """A label."""
    return await make_label(face, ada)


@pytest.mark.parametrize("labels", [0, 1, 3])
async def test_new_item_starts_at_version_1(face: Face, ada: Account, labels: int) -> None:
    keys = [(await make_label(face, ada, f"label {number}"))["id"] for number in range(labels)]
    made = await make_item(face, ada, label_ids=keys)
    assert (made["version"], made["updated_at"]) == (1, made["created_at"])
    assert await face.ok("get_item", ada, id=made["id"]) == made


@pytest.mark.parametrize(("before", "operation"), [([], "attach_label"), (["attach_label"], "detach_label")])
async def test_label_that_comes_or_goes_is_a_change(
    face: Face, ada: Account, label: Row, before: list[str], operation: str
) -> None:
    item, given = await make_item(face, ada), {"label_id": label["id"]}
    for each in before:
        item = await face.ok(each, ada, given, id=item["id"])
    changed = await face.ok(operation, ada, given, id=item["id"])
    assert changed["version"] == item["version"] + 1
    assert changed["updated_at"] > item["updated_at"]
    unlike = {name for name in item if item[name] != changed[name]}
    assert unlike == {"version", "updated_at"}
    assert await face.ok("get_item", ada, id=item["id"]) == changed


@pytest.mark.parametrize(("before", "operation"), [(["attach_label"], "attach_label"), ([], "detach_label")])
async def test_label_that_is_there_or_away_already_is_none(
    face: Face, ada: Account, label: Row, before: list[str], operation: str
) -> None:
    item, given = await make_item(face, ada), {"label_id": label["id"]}
    for each in before:
        item = await face.ok(each, ada, given, id=item["id"])
    assert await face.ok(operation, ada, given, id=item["id"]) == item


async def test_label_of_creation_attached_again_is_none(face: Face, ada: Account, label: Row) -> None:
    item = await make_item(face, ada, label_ids=[label["id"]])
    assert await face.ok("attach_label", ada, {"label_id": label["id"]}, id=item["id"]) == item


@pytest.mark.parametrize("data", [{}, {"title": "Wheel"}, {"title": " Wheel "}, {"priority": 0, "status": "open"}])
async def test_change_to_what_it_is_already_is_none(face: Face, ada: Account, data: dict[str, Any]) -> None:
    item = await make_item(face, ada, "Wheel")
    assert await face.ok("update_item", ada, data, id=item["id"]) == item


async def test_archiving_is_a_change_once(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    archived = await face.ok("archive_item", ada, id=item["id"])
    assert (archived["status"], archived["version"]) == ("archived", 2)
    assert await face.ok("archive_item", ada, id=item["id"]) == archived


async def test_refused_label_is_none(face: Face, ada: Account, eve: Account) -> None:
    item, foreign = await make_item(face, ada), await make_label(face, eve)
    answer = await face.call("attach_label", ada, {"label_id": foreign["id"]}, id=item["id"])
    assert (answer.problem, answer.errors) == ("validation_failed", {"label_id": "not_found"})
    assert await face.ok("get_item", ada, id=item["id"]) == item


async def test_what_refers_to_an_item_does_not_change_it(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    await make_comment(face, ada, item)
    await make_item(face, ada, "below", parent_id=item["id"])
    assert await face.ok("get_item", ada, id=item["id"]) == item
