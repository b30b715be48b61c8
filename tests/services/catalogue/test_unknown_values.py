"""Rows with a value that this version's enum does not have, as another version leaves them: the rest stays usable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Row, key_of, make_comment, make_item
from tests.support.lists import ids

CHECK = "ck_items_itemstatus"
ELSEWHERE = "paused"
"""What another version would know."""


@dataclass(frozen=True)
class Shelf:
    """Items of one owner: of the one in the middle nobody here knows the status."""

    owner: Account
    before: Row
    odd: Row
    behind: Row

    @property
    def rows(self) -> list[str]:
        """All of them, as they are listed by title."""
        return [self.before["id"], self.odd["id"], self.behind["id"]]


async def execute(gateway: Gateway, statement: str, **values: Any) -> list[Any]:
    async with gateway.database.engine.begin() as connection:
        found = await connection.execute(text(statement), values)
        return [*found] if found.returns_rows else []


@pytest.fixture(autouse=True)
async def unchecked(gateway: Gateway) -> AsyncIterator[None]:
    """Without the constraint that the other version would have widened."""
    ((rule,),) = await execute(
        gateway, "select pg_get_constraintdef(oid) from pg_constraint where conname = :name", name=CHECK
    )
    await execute(gateway, f"alter table items drop constraint {CHECK}")
    yield
    await execute(gateway, "delete from items where status = :status", status=ELSEWHERE)
    await execute(gateway, f"alter table items add constraint {CHECK} {rule}")


@pytest.fixture
async def shelf(face: Face, client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    owner = await sign_up(client)
    made = [await make_item(face, owner, title, status="done") for title in ("Axle", "Brake", "Cog")]
    await execute(
        gateway, "update items set status = :status where id = :id", status=ELSEWHERE, id=key_of(made[1]["id"])
    )
    return Shelf(owner, *made)


async def status_in_the_table(gateway: Gateway, row: Row) -> str:
    ((found,),) = await execute(gateway, "select status from items where id = :id", id=key_of(row["id"]))
    return str(found)


async def test_only_that_member_of_that_row_is_null(face: Face, shelf: Shelf) -> None:
    found = await face.ok("list_items", shelf.owner, sort=["title"], count=True)
    assert [(each["title"], each["status"]) for each in found["data"]] == [
        ("Axle", "done"), ("Brake", None), ("Cog", "done"),
    ]  # fmt: skip
    assert found["page"]["total"] == 3
    assert await face.ok("get_item", shelf.owner, id=shelf.odd["id"]) == {**shelf.odd, "status": None}


async def test_both_faces_and_versions_agree(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    odd = shelf.odd["id"]
    assert await rest.version("get_item", shelf.owner, odd) == await graphql.version("get_item", shelf.owner, odd)
    members = "status ...on Item { state: status } parent { status } comments { nodes { item { status } } }"
    found = await graphql.run(
        f"{{ items(orderBy: [{{field: TITLE}}]) {{ nodes {{ {members} }} }} }}", None, shelf.owner
    )
    assert "errors" not in found
    assert [each["state"] for each in found["data"]["items"]["nodes"]] == ["DONE", None, "DONE"]


async def test_member_that_is_not_selected_changes_nothing(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    found = await graphql.run("{ items(orderBy: [{field: TITLE}]) { nodes { title } } }", None, shelf.owner)
    titles = [{"title": each} for each in ("Axle", "Brake", "Cog")]
    assert found == {"data": {"items": {"nodes": titles}}}
    assert (await rest.get("/items?sort=title&fields=title", shelf.owner))["data"] == titles


async def test_row_is_read_through_relations(face: Face, rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    child = await make_item(face, shelf.owner, "Disc", parent_id=shelf.odd["id"])
    found = await graphql.data(
        "query($id: ID!) { node(id: $id) { ... on Item { parent { title status children { nodes { status } } } } } }",
        {"id": child["id"]}, shelf.owner,
    )  # fmt: skip
    assert found["node"]["parent"] == {"title": "Brake", "status": None, "children": {"nodes": [{"status": "OPEN"}]}}
    shown = await rest.get(f"/items/{child['id']}", shelf.owner, include="parent", fields="parent.title,parent.status")
    assert shown["parent"] == {"title": "Brake", "status": None}


@pytest.mark.parametrize("sort", [["status", "title"], ["-status", "title"]])
async def test_pages_in_its_order_have_every_row_once(face: Face, shelf: Shelf, sort: list[str]) -> None:
    whole = ids((await face.ok("list_items", shelf.owner, sort=sort))["data"])
    seen, after = [], None
    for _ in range(3):
        page = await face.ok("list_items", shelf.owner, sort=sort, limit=1, **({"after": after} if after else {}))
        seen += ids(page["data"])
        after = page["page"]["next"]
    assert (seen, after) == (whole, None)
    assert sorted(whole) == sorted(shelf.rows)


async def test_filters_tell_it_from_known_values(face: Face, shelf: Shelf) -> None:
    for asked, found in (
        ({"eq": "done"}, 2), ({"ne": "done"}, 1), ({"in": ["open", "done"]}, 2), ({"not_in": ["open", "done"]}, 1),
    ):  # fmt: skip
        answer = await face.ok("list_items", shelf.owner, filter={"status": asked}, count=True)
        assert answer["page"]["total"] == found, asked
    assert (await face.call("list_items", shelf.owner, filter={"status": {"eq": ELSEWHERE}})).problem is not None


async def test_other_fields_can_be_changed_without_losing_it(face: Face, gateway: Gateway, shelf: Shelf) -> None:
    version = await face.version("get_item", shelf.owner, shelf.odd["id"])
    changed = await face.ok("update_item", shelf.owner, {"title": "Brakes"}, id=shelf.odd["id"], expected=version)
    assert (changed["title"], changed["status"]) == ("Brakes", None)
    assert await status_in_the_table(gateway, shelf.odd) == ELSEWHERE


async def test_row_is_mended_by_a_known_value(face: Face, shelf: Shelf) -> None:
    assert (await face.ok("update_item", shelf.owner, {"status": "open"}, id=shelf.odd["id"]))["status"] == "open"
    (event, *_) = (await face.ok("list_items", shelf.owner, filter={"status": {"eq": "open"}}))["data"]
    assert event["id"] == shelf.odd["id"]


async def test_actions_comments_and_deletion_work(face: Face, shelf: Shelf) -> None:
    comment = await make_comment(face, shelf.owner, shelf.odd)
    assert (await face.ok("get_comment", shelf.owner, id=comment["id"]))["item_id"] == shelf.odd["id"]
    assert (await face.ok("archive_item", shelf.owner, id=shelf.odd["id"]))["status"] == "archived"
    other = await make_item(face, shelf.owner, "Disc", parent_id=shelf.odd["id"])
    await face.ok("delete_item", shelf.owner, id=shelf.odd["id"])
    assert (await face.call("get_item", shelf.owner, id=shelf.odd["id"])).problem == "not_found"
    assert (await face.ok("get_item", shelf.owner, id=other["id"]))["parent_id"] is None


async def test_row_is_changed_in_a_batch(face: Face, shelf: Shelf) -> None:
    entries = [{"update": {"id": shelf.odd["id"], "title": "Brakes"}}, {"delete": {"id": shelf.before["id"]}}]
    found = await face.ok("batch_items", shelf.owner, {"operations": entries})
    assert [each["status"] for each in found["results"]] == [200, 204]
    assert (found["results"][0]["data"]["title"], found["results"][0]["data"]["status"]) == ("Brakes", None)


async def test_unknown_value_is_logged_once(rest: RestFace, shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        await rest.get("/items?sort=title&fields=status&limit=37", shelf.owner)
    logged = capsys.readouterr().err.count('"unknown_enum_value"')
    assert logged <= 1
