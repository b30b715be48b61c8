"""`Link` (RFC 8288) of lists: where it leads, and that it leads there."""

from __future__ import annotations

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.services.queries.test_pages import Shelf, fill
from tests.support.accounts import Account
from tests.support.backward import connection, rows
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import make_comment, make_item
from tests.support.lists import ids, links


@pytest.fixture(scope="module")
async def shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """7 items."""
    return await fill(client, gateway, 7)


async def get(rest: RestFace, actor: Account, address: str) -> httpx.Response:
    """A response to an address with the API's prefix."""
    return await rest.send("GET", address.removeprefix("/api/v1"), actor)


async def test_first_page_leads_to_the_next_only(rest: RestFace, shelf: Shelf) -> None:
    answer = await get(rest, shelf.owner, "/items?limit=3&sort=title")
    cursor = answer.json()["page"]["next"]
    assert answer.headers["link"] == f'</api/v1/items?limit=3&sort=title&after={cursor}>; rel="next"'


@pytest.mark.parametrize("address", ["/items", "/items?limit=7", "/items?q=nothing+like+it"])
async def test_list_on_one_page_has_no_link(rest: RestFace, shelf: Shelf, address: str) -> None:
    assert "link" not in (await get(rest, shelf.owner, address)).headers


async def test_links_lead_to_both_neighbours_and_the_first(rest: RestFace, shelf: Shelf) -> None:
    wanted = ids(shelf.rows)
    first = await get(rest, shelf.owner, "/items?limit=3")
    second = await get(rest, shelf.owner, links(first)["next"])
    third = await get(rest, shelf.owner, links(second)["next"])
    assert [rows(each) for each in (first, second, third)] == [wanted[:3], wanted[3:6], wanted[6:]]
    assert [list(links(each)) for each in (first, second, third)] == [
        ["next"], ["next", "prev", "first"], ["prev", "first"],
    ]  # fmt: skip
    assert links(third)["first"] == "/api/v1/items?limit=3"
    back = await get(rest, shelf.owner, links(third)["prev"])
    assert rows(back) == wanted[3:6]
    assert back.json() == second.json()
    start = await get(rest, shelf.owner, links(back)["prev"])
    assert rows(start) == wanted[:3]
    assert list(links(start)) == ["next", "first"]
    assert rows(await get(rest, shelf.owner, links(start)["next"])) == wanted[3:6]


async def test_page_that_was_skipped_to_leads_back(rest: RestFace, shelf: Shelf) -> None:
    answer = await get(rest, shelf.owner, "/items?limit=2&skip=3&count=true")
    wanted = ids(shelf.rows)
    assert rows(answer) == wanted[3:5]
    assert rows(await get(rest, shelf.owner, links(answer)["prev"])) == wanted[1:3]
    assert rows(await get(rest, shelf.owner, links(answer)["next"])) == wanted[5:7]
    assert links(answer)["first"] == "/api/v1/items?limit=2&count=true"


async def test_next_within_a_window_stays_in_it(rest: RestFace, shelf: Shelf) -> None:
    wanted = ids(shelf.rows)
    first = await get(rest, shelf.owner, "/items?limit=1")
    after, sixth = first.json()["page"]["next"], await get(rest, shelf.owner, "/items?limit=6")
    before = sixth.json()["page"]["next"]
    window = await get(rest, shelf.owner, f"/items?limit=3&after={after}&before={before}")
    assert rows(window) == wanted[1:4]
    behind = await get(rest, shelf.owner, links(window)["next"])
    assert rows(behind) == wanted[4:5]
    assert "next" not in links(behind)
    assert rows(await get(rest, shelf.owner, links(behind)["prev"])) == wanted[1:4]


async def test_page_behind_the_last_row_leads_to_the_first(rest: RestFace, graphql: GraphQLFace, shelf: Shelf) -> None:
    last = (await connection(graphql, shelf.owner, last=1))["pageInfo"]["endCursor"]
    nothing = await get(rest, shelf.owner, f"/items?limit=2&after={last}")
    assert nothing.json() == {"data": [], "page": {"has_next": False, "next": None}}
    assert links(nothing) == {"first": "/api/v1/items?limit=2"}


async def test_page_before_the_first_row_is_empty_and_leads_to_the_first(rest: RestFace, shelf: Shelf) -> None:
    second = await get(rest, shelf.owner, links(await get(rest, shelf.owner, "/items?limit=1"))["next"])
    at_start = await get(rest, shelf.owner, links(second)["prev"])
    first_row = (await get(rest, shelf.owner, links(at_start)["next"])).request.url.params["after"]
    nothing = await get(rest, shelf.owner, f"/items?before={first_row}")
    assert nothing.json() == {"data": [], "page": {"has_next": True, "next": None}}
    assert links(nothing) == {"first": "/api/v1/items"}


async def test_links_of_a_relation_lead_back_too(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    for number in range(4):
        await make_comment(rest, ada, item, f"Comment {number}")
    first = await get(rest, ada, f"/items/{item['id']}/comments?limit=2&sort=created_at&fields=body")
    second = await get(rest, ada, links(first)["next"])
    assert [each["body"] for each in second.json()["data"]] == ["Comment 2", "Comment 3"]
    back = await get(rest, ada, links(second)["prev"])
    assert back.json()["data"] == first.json()["data"]
    assert links(second)["first"] == f"/api/v1/items/{item['id']}/comments?limit=2&sort=created_at&fields=body"


async def test_head_has_the_links_of_get(rest: RestFace, shelf: Shelf) -> None:
    address = links(await get(rest, shelf.owner, "/items?limit=2"))["next"].removeprefix("/api/v1")
    got, head = await rest.send("GET", address, shelf.owner), await rest.send("HEAD", address, shelf.owner)
    assert head.headers["link"] == got.headers["link"]
    assert head.content == b""
