"""Lists of items, walked from their end to their start: by `last` and `before`, and by the links of REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from gateway.parity.calls.documents import graphql_filter
from gateway.parity.calls.requests import rest_request
from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.lists import MAX_PAGES, ids, links

ITEMS: Final = """
query($first: Int, $after: String, $last: Int, $before: String, $filter: ItemFilter, $orderBy: [ItemOrder!],
      $search: String) {
  items(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy,
        search: $search) {
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def connection(graphql: GraphQLFace, actor: Account, **arguments: Any) -> Any:
    """A connection of items; `filter` and `sort` as of REST, absent where they are None."""
    resource = graphql.catalogue.resources["item"]
    given = {name: value for name, value in arguments.items() if value is not None}
    if "filter" in given:
        given["filter"] = graphql_filter(resource, given["filter"])
    if "sort" in given:
        given["orderBy"] = [
            {"field": each.removeprefix("-").upper(), "direction": "DESC" if each[0] == "-" else "ASC"}
            for each in given.pop("sort")
        ]
    return (await graphql.data(ITEMS, given, actor))["items"]


async def walk_back(face: Face, actor: Account, *, limit: int, **arguments: Any) -> list[str]:
    """The identifiers of a list in its order, found page by page from its end; what is told of each page is checked."""
    if isinstance(face, GraphQLFace):
        return await _by_cursors(face, actor, limit, arguments)
    assert isinstance(face, RestFace)
    return await _by_links(face, actor, limit, arguments)


async def _by_cursors(graphql: GraphQLFace, actor: Account, limit: int, arguments: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    before: str | None = None
    for _ in range(MAX_PAGES):
        page = await connection(graphql, actor, last=limit, before=before, **arguments)
        rows, about = [each["node"]["id"] for each in page["edges"]], page["pageInfo"]
        cursors = [each["cursor"] for each in page["edges"]]
        assert about["hasNextPage"] is (before is not None)
        assert (about["startCursor"], about["endCursor"]) == ((cursors[0], cursors[-1]) if cursors else (None, None))
        found = rows + found
        if not about["hasPreviousPage"]:
            assert len(rows) <= limit
            return found
        assert len(rows) == limit
        before = about["startCursor"]
    raise AssertionError(f"the list does not begin after {MAX_PAGES} pages")


async def _by_links(rest: RestFace, actor: Account, limit: int, arguments: Mapping[str, Any]) -> list[str]:
    """Forwards by `next`, and from the last page back by `prev`; the pages must be the same."""
    asked = rest_request(rest.operation("list_items"), None, None, {"limit": limit, **arguments})
    answer = await rest.send("GET", asked.path, actor, params=asked.query)
    forwards, address = [rows(answer)], links(answer).get("next")
    assert set(links(answer)) <= {"next"}
    while address is not None:
        answer = await rest.send("GET", address.removeprefix("/api/v1"), actor)
        assert {"prev", "first"} <= set(links(answer))
        forwards.append(rows(answer))
        address = links(answer).get("next")
    backwards = forwards[-1:]
    while (address := links(answer).get("prev")) is not None:
        answer = await rest.send("GET", address.removeprefix("/api/v1"), actor)
        assert set(links(answer)) in ({"next", "prev", "first"}, {"next", "first"})
        backwards.insert(0, rows(answer))
    assert backwards == forwards
    return [each for page in backwards for each in page]


def rows(answer: httpx.Response) -> Sequence[str]:
    """The identifiers in a page of REST, which has nothing but its rows and what is told of it."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["data", "page"]
    return ids(body["data"])
