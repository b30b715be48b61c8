"""Keyset pages, walked to their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

import httpx
import pytest

from services.catalogue import Kind
from services.engine.gateway import Gateway
from services.sample.items.models import ItemStatus
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Row, insert_items, make_item, make_label, personal_workspace
from tests.support.lists import ids, ordered, walk

ORDERS: list[list[str]] = [
    [],
    ["id"],
    ["-id"],
    ["title"],
    ["-title"],
    ["status"],
    ["-priority"],
    ["due_at"],
    ["-due_at"],
    ["created_at"],
    ["-updated_at"],
    ["priority", "due_at"],
    ["priority", "-due_at"],
    ["-priority", "due_at"],
    ["-due_at", "-title"],
    ["due_at", "-title"],
    ["due_at", "id"],
    ["due_at", "-id"],
    ["status", "-priority", "due_at", "-title", "created_at"],
]


@dataclass(frozen=True)
class Shelf:
    """Somebody's items, with duplicates and nulls in them."""

    owner: Account
    workspace: Row
    rows: Sequence[Row]


def _instant(day: int) -> datetime:
    return datetime(2030, 1, day, 12, tzinfo=UTC)


async def fill(client: httpx.AsyncClient, gateway: Gateway, size: int) -> Shelf:
    """A shelf whose fields repeat at different paces, so that every combination of ties occurs."""
    face, owner = RestFace(client, gateway.catalogue), await sign_up(client)
    workspace = await personal_workspace(face, owner)
    dues = [_instant(1), None, _instant(2), None, _instant(3)]
    made = [
        {"title": title, "status": status, "priority": priority, "due_at": due}
        for title, status, priority, due in islice(
            zip(cycle(["ant", "bee", "cat"]), cycle(ItemStatus), cycle([0, 1]), cycle(dues), strict=False), size
        )
    ]
    await insert_items(gateway, owner, workspace, made)
    rows = (await face.ok("list_items", owner, limit=100))["data"]
    return Shelf(owner, workspace, rows)


@pytest.fixture(scope="module")
async def shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """17 items."""
    return await fill(client, gateway, 17)


@pytest.fixture(scope="module")
async def long_shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """101 items."""
    return await fill(client, gateway, 101)


@pytest.mark.parametrize("sort", ORDERS, ids=lambda sort: ",".join(sort) or "default")
async def test_pages_cover_the_list_once_and_in_order(face: Face, shelf: Shelf, sort: list[str]) -> None:
    found = await walk(face, shelf.owner, "list_items", limit=4, sort=sort)
    assert ids(found) == ids(ordered(shelf.rows, sort))


async def test_default_order_is_newest_first(face: Face, ada: Account) -> None:
    made = [await make_item(face, ada, title) for title in ("first", "second", "third")]
    assert ids((await face.ok("list_items", ada))["data"]) == ids(made)[::-1]


async def test_page_has_20_rows_by_default(face: Face, long_shelf: Shelf) -> None:
    found = await face.ok("list_items", long_shelf.owner)
    assert (len(found["data"]), found["page"]["has_next"]) == (20, True)


async def test_page_has_at_most_100_rows(face: Face, long_shelf: Shelf) -> None:
    found = await face.ok("list_items", long_shelf.owner, limit=100, count=True)
    assert (len(found["data"]), found["page"]["has_next"], found["page"]["total"]) == (100, True, 101)
    rest = await face.ok("list_items", long_shelf.owner, limit=100, after=found["page"]["next"])
    assert (len(rest["data"]), rest["page"]) == (1, {"has_next": False, "next": None})


@pytest.mark.parametrize("limit", [0, -1, 101, 2**31 - 1])
async def test_limit_out_of_range_is_refused(face: Face, shelf: Shelf, limit: int) -> None:
    answer = await face.call("list_items", shelf.owner, limit=limit)
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.errors == {face.arguments.get("limit", "limit"): "range"}


async def test_page_that_ends_with_the_list_has_no_next(face: Face, shelf: Shelf) -> None:
    found = await face.ok("list_items", shelf.owner, limit=17)
    assert (len(found["data"]), found["page"]) == (17, {"has_next": False, "next": None})


async def test_count_is_of_the_whole_filtered_list_on_every_page(face: Face, shelf: Shelf) -> None:
    expected = sum(row["status"] == "open" for row in shelf.rows)
    arguments: dict[str, Any] = {"filter": {"status": "open"}, "limit": 2, "count": True}
    first = await face.ok("list_items", shelf.owner, **arguments)
    second = await face.ok("list_items", shelf.owner, after=first["page"]["next"], **arguments)
    assert (first["page"]["total"], second["page"]["total"]) == (expected, expected)


async def test_empty_list_is_one_empty_page(face: Face, ada: Account) -> None:
    found = await face.ok("list_items", ada, count=True)
    assert found == {"data": [], "page": {"has_next": False, "next": None, "total": 0}}


@pytest.mark.parametrize("sort", [["priority", "title"], ["-due_at"], ["due_at", "-priority"]], ids=",".join)
async def test_pages_are_stable_under_inserts_and_deletions(
    face: Face, client: httpx.AsyncClient, gateway: Gateway, sort: list[str]
) -> None:
    shelf = await fill(client, gateway, 12)
    wanted = ordered(shelf.rows, sort)
    first = await face.ok("list_items", shelf.owner, limit=5, sort=sort)
    assert ids(first["data"]) == ids(wanted[:5])
    # The cursor's own row goes, so do one before and one behind it; a copy of the first and one of the last row come.
    for gone in (wanted[2], wanted[4], wanted[7]):
        await face.ok("delete_item", shelf.owner, id=gone["id"])
    copies = [
        await make_item(face, shelf.owner, row["title"], priority=row["priority"], due_at=row["due_at"])
        for row in (wanted[0], wanted[-1])
    ]
    left = wanted[5:7] + wanted[8:]
    rest = await face.ok("list_items", shelf.owner, limit=20, sort=sort, after=first["page"]["next"])
    behind = ordered([*wanted, *copies], sort)
    behind = behind[behind.index(wanted[4]) + 1 :]
    assert ids(rest["data"]) == [each["id"] for each in behind if each["id"] in {*ids(left), *ids(copies)}]


async def test_cursor_of_one_face_works_on_the_other(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    sort = ["-due_at", "priority"]
    rows: list[Row] = []
    after = None
    for face in (rest, graphql, rest, graphql, rest):
        page = await face.ok("list_items", shelf.owner, limit=4, sort=sort, after=after)
        rows += page["data"]
        after = page["page"]["next"]
    assert after is None
    assert rows == ordered(shelf.rows, sort)


async def test_both_faces_give_the_same_cursor(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    pages = [await face.ok("list_items", shelf.owner, limit=3, sort=["due_at"]) for face in (rest, graphql)]
    assert pages[0] == pages[1]


async def test_every_edge_has_a_cursor_of_its_own(graphql: GraphQLFace, rest: RestFace, shelf: Shelf) -> None:
    query = "{ items(first: 6) { edges { cursor node { id } } pageInfo { startCursor endCursor hasPreviousPage } } }"
    found = (await graphql.data(query, actor=shelf.owner))["items"]
    cursors = [edge["cursor"] for edge in found["edges"]]
    assert found["pageInfo"] == {"startCursor": cursors[0], "endCursor": cursors[-1], "hasPreviousPage": False}
    behind = await rest.ok("list_items", shelf.owner, limit=3, after=cursors[2])
    assert ids(behind["data"]) == [edge["node"]["id"] for edge in found["edges"][3:]]


async def test_every_list_can_be_sorted_by_each_of_its_fields(face: Face, ada: Account) -> None:
    await make_label(face, ada)
    for operation in face.catalogue.operations.values():
        if operation.kind is Kind.LIST and operation.resource is not None:
            for name in (*operation.resource.sorts, "id"):
                up = await face.ok(operation.name, ada, sort=[name], limit=100)
                down = await face.ok(operation.name, ada, sort=[f"-{name}"], limit=100)
                if not up["page"]["has_next"]:
                    assert ids(up["data"]) == ids(down["data"])[::-1]


async def test_sorting_twice_by_one_field_is_refused(face: Face, shelf: Shelf) -> None:
    answer = await face.call("list_items", shelf.owner, sort=["title", "-title"])
    name = face.arguments.get("sort", "sort")
    assert (answer.problem, answer.errors) == ("validation_failed", {f"{name}[1]": "conflict"})


async def test_sorting_by_more_than_five_fields_is_refused(face: Face, shelf: Shelf) -> None:
    fields = ["title", "status", "priority", "due_at", "created_at", "updated_at"]
    answer = await face.call("list_items", shelf.owner, sort=fields)
    assert (answer.problem, answer.errors) == ("validation_failed", {face.arguments.get("sort", "sort"): "length"})
