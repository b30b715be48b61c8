"""Pages read from the end of a list: `last` and `before` (Relay Cursor Connections), `before` on REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.services.queries.test_pages import ORDERS, Shelf, fill
from tests.support.accounts import Account
from tests.support.backward import connection, walk_back
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_comment, make_item, make_label
from tests.support.lists import ids, ordered
from tests.support.statements import statements


@pytest.fixture(scope="module")
async def shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """17 items."""
    return await fill(client, gateway, 17)


@pytest.fixture(scope="module")
async def short(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """6 items."""
    return await fill(client, gateway, 6)


async def cursors(graphql: GraphQLFace, shelf: Shelf, sort: list[str] | None = None) -> list[str]:
    """The cursors of all rows."""
    found = await connection(graphql, shelf.owner, first=100, sort=sort)
    return [each["cursor"] for each in found["edges"]]


def shown(page: Any) -> list[str]:
    """The identifiers of a connection's edges."""
    return [each["node"]["id"] for each in page["edges"]]


@pytest.mark.parametrize("sort", ORDERS, ids=lambda sort: ",".join(sort) or "default")
async def test_pages_from_the_end_cover_the_list_once_and_in_order(face: Face, shelf: Shelf, sort: list[str]) -> None:
    assert await walk_back(face, shelf.owner, limit=4, sort=sort) == ids(ordered(shelf.rows, sort))


@pytest.mark.parametrize("sort", [["-due_at", "title"], ["due_at", "-title"], []], ids=str)
async def test_page_before_a_cursor_is_the_same_on_both_faces(
    rest: RestFace, graphql: GraphQLFace, shelf: Shelf, sort: list[str]
) -> None:
    wanted, places = ids(ordered(shelf.rows, sort)), await cursors(graphql, shelf, sort)
    for place in (0, 1, 3, 16):
        pages = [
            await face.ok("list_items", shelf.owner, limit=3, before=places[place], sort=sort, count=True)
            for face in (rest, graphql)
        ]
        assert pages[0] == pages[1]
        start = max(0, place - 3)
        assert ids(pages[0]["data"]) == wanted[start:place]
        assert pages[0]["page"] == {"has_next": True, "next": places[place - 1] if place else None, "total": 17}


async def test_page_before_a_cursor_has_20_rows_by_default(
    face: Face, graphql: GraphQLFace, client: httpx.AsyncClient, gateway: Gateway
) -> None:
    shelf = await fill(client, gateway, 25)
    places = await cursors(graphql, shelf)
    found = await face.ok("list_items", shelf.owner, before=places[23])
    assert ids(found["data"]) == ids(shelf.rows)[3:23]
    assert found["page"]["next"] == places[22]


async def test_every_window_has_the_rows_between_its_cursors(graphql: GraphQLFace, short: Shelf) -> None:
    """EdgesToReturn, HasPreviousPage and HasNextPage of the specification, for whatever is given."""
    rows, places = ids(short.rows), [None, *await cursors(graphql, short)]
    for after in range(7):
        for before in [0, *range(1, 7)]:
            behind = [row for number, row in enumerate(rows, 1) if number > after and (not before or number < before)]
            for name, size in (("first", 2), ("last", 2), ("first", 100), ("last", 100)):
                found = await connection(
                    graphql, short.owner, **{name: size, "after": places[after], "before": places[before]}
                )
                assert shown(found) == (behind[:size] if name == "first" else behind[-size:])
                cut, about = len(behind) > size, found["pageInfo"]
                assert about["hasNextPage"] is (cut if name == "first" else before > 0)
                assert about["hasPreviousPage"] is (cut if name == "last" else after > 0)


async def test_window_without_a_direction_is_read_from_its_start(
    face: Face, graphql: GraphQLFace, shelf: Shelf
) -> None:
    places = await cursors(graphql, shelf)
    found = await face.ok("list_items", shelf.owner, limit=3, after=places[2], before=places[9])
    assert ids(found["data"]) == ids(shelf.rows)[3:6]
    assert found["page"] == {"has_next": True, "next": places[5]}
    found = await face.ok("list_items", shelf.owner, limit=5, after=places[5], before=places[9])
    assert (ids(found["data"]), found["page"]["has_next"]) == (ids(shelf.rows)[6:9], False)


@pytest.mark.parametrize("sort", [["priority", "title"], ["-due_at"], ["due_at", "-priority"]], ids=",".join)
async def test_pages_are_stable_backwards_under_inserts_and_deletions(
    face: Face, graphql: GraphQLFace, client: httpx.AsyncClient, gateway: Gateway, sort: list[str]
) -> None:
    shelf = await fill(client, gateway, 12)
    wanted, places = ordered(shelf.rows, sort), await cursors(graphql, shelf, sort)
    # The cursor's own row goes, so do one before and one behind it; a copy of the first and one of the last row come.
    for gone in (wanted[2], wanted[7], wanted[9]):
        await face.ok("delete_item", shelf.owner, id=gone["id"])
    copies = [
        await make_item(face, shelf.owner, row["title"], priority=row["priority"], due_at=row["due_at"])
        for row in (wanted[0], wanted[-1])
    ]
    found = await face.ok("list_items", shelf.owner, limit=20, sort=sort, before=places[7])
    whole = ordered([*wanted, *copies], sort)
    before = whole[: whole.index(wanted[7])]
    left = {*ids(wanted[:2]), *ids(wanted[3:7]), *ids(copies)}
    assert ids(found["data"]) == [each["id"] for each in before if each["id"] in left]


async def test_backward_page_and_its_neighbours_are_one_statement(
    rest: RestFace, graphql: GraphQLFace, gateway: Gateway, shelf: Shelf
) -> None:
    places = await cursors(graphql, shelf)
    for _ in range(2):
        await rest.ok("list_items", shelf.owner, limit=3, before=places[9])
    with statements(gateway) as sent:
        answer = await rest.send("GET", "/items", shelf.owner, params={"limit": "3", "before": places[9]})
    assert len([each for each in sent if "items" in each]) == 1
    assert answer.headers["link"].count("rel=") == 3


NESTED = """
query($id: ID!, $size: Int, $before: String) {
  item(id: $id) {
    comments(last: $size, before: $before, orderBy: [{field: CREATED_AT}]) {
      edges { cursor node { body } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
    }
    labels(last: 2, orderBy: [{field: NAME}]) { nodes { name } pageInfo { hasPreviousPage startCursor } }
  }
}
"""


async def test_relations_are_paged_backwards(graphql: GraphQLFace, ada: Account) -> None:
    labels = [await make_label(graphql, ada, name) for name in ("ash", "birch", "cedar")]
    item = await make_item(graphql, ada, label_ids=[each["id"] for each in labels])
    for number in range(5):
        await make_comment(graphql, ada, item, f"Comment {number}")
    found: Any = None
    seen, before = [], None
    for more in (True, True, False):
        found = await graphql.data(NESTED, {"id": item["id"], "size": 2, "before": before}, ada)
        page = found["item"]["comments"]
        seen.append([each["node"]["body"] for each in page["edges"]])
        before = page["edges"][0]["cursor"]
        assert page["pageInfo"] == {
            "hasNextPage": len(seen) > 1, "hasPreviousPage": more, "startCursor": before,
            "endCursor": page["edges"][-1]["cursor"],
        }  # fmt: skip
        assert page["totalCount"] == 5
    assert seen == [["Comment 3", "Comment 4"], ["Comment 1", "Comment 2"], ["Comment 0"]]
    assert [each["name"] for each in found["item"]["labels"]["nodes"]] == ["birch", "cedar"]
    assert found["item"]["labels"]["pageInfo"]["hasPreviousPage"] is True


async def test_relation_is_paged_backwards_for_each_of_its_parents(graphql: GraphQLFace, ada: Account) -> None:
    for size in (0, 1, 2, 3):
        item = await make_item(graphql, ada, f"Item with {size}")
        for number in range(size):
            await make_comment(graphql, ada, item, f"{number} of {size}")
    query = (
        "{ items(last: 4, orderBy: [{field: TITLE}]) { nodes { "
        "comments(last: 2, orderBy: [{field: CREATED_AT}]) { nodes { body } pageInfo { hasPreviousPage hasNextPage } }"
        " } } }"
    )
    found = (await graphql.data(query, actor=ada))["items"]["nodes"]
    bodies = [[each["body"] for each in item["comments"]["nodes"]] for item in found]
    assert bodies == [[], ["0 of 1"], ["0 of 2", "1 of 2"], ["1 of 3", "2 of 3"]]
    assert [item["comments"]["pageInfo"]["hasPreviousPage"] for item in found] == [False, False, False, True]
    assert not any(item["comments"]["pageInfo"]["hasNextPage"] for item in found)


@pytest.mark.parametrize("size", [0, -1, 101, 2**31 - 1])
async def test_last_out_of_range_is_refused(graphql: GraphQLFace, shelf: Shelf, size: int) -> None:
    body = await graphql.run("query($n: Int) { items(last: $n) { totalCount } }", {"n": size}, shelf.owner)
    assert body["errors"][0]["extensions"]["errors"] == [
        {"field": "last", "code": "range", "message": "This must be an integer from 1 to 100."}
    ]


async def test_first_with_last_is_refused_before_anything_is_read(
    graphql: GraphQLFace, gateway: Gateway, shelf: Shelf
) -> None:
    for field in ("items", "me { memberships"):
        query = f"{{ {field}(first: 1, last: 2) {{ totalCount }} {'}' if '{' in field else ''} }}"
        with statements(gateway) as sent:
            body = await graphql.run(query, None, shelf.owner)
        assert [each["extensions"]["errors"] for each in body["errors"]] == [[{
            "field": "last", "code": "conflict",
            "message": "A page is taken from one end: by `first` or by `last`, not by both.",
        }]]  # fmt: skip
        assert not any("from items" in each.lower() or "from memberships" in each.lower() for each in sent)


async def test_null_is_as_good_as_absent(graphql: GraphQLFace, shelf: Shelf) -> None:
    """Relay's compiler declares all four for a list that is paged both ways, and leaves two of them null."""
    found = await graphql.data(
        "query($c: Int, $a: String, $n: Int, $b: String) {"
        " items(first: $c, after: $a, last: $n, before: $b) { nodes { id } } }",
        {"c": None, "a": None, "n": 2, "b": None}, shelf.owner,
    )  # fmt: skip
    assert ids(found["items"]["nodes"]) == ids(shelf.rows)[-2:]


async def test_last_is_no_parameter_of_rest(rest: RestFace, shelf: Shelf) -> None:
    answer = await rest.call("list_items", shelf.owner, last=3)
    assert (answer.status, answer.errors) == (422, {"last": "unknown"})


async def test_skip_with_a_cursor_to_end_at_is_refused(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    answer = await rest.call("list_items", shelf.owner, before=(await cursors(graphql, shelf))[3], skip=1)
    assert (answer.status, answer.errors) == (422, {"skip": "conflict"})


async def test_cursor_of_another_order_to_end_at_is_refused(face: Face, graphql: GraphQLFace, shelf: Shelf) -> None:
    place = (await cursors(graphql, shelf, ["title"]))[3]
    for sort in ([], ["-title"], ["priority"]):
        answer = await face.call("list_items", shelf.owner, before=place, sort=sort)
        assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, {"before": "cursor"})
