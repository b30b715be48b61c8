"""A list read key by key, for an actor with few workspaces, is the same as one read in its order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from gateway.settings import Settings
from services.reader import pages
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.backward import connection
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import make_item, make_workspace
from tests.support.lists import links

QUERIES: Final = (
    "limit=2", "limit=3&skip=2", "limit=100&count=true", "sort=title&limit=4",
    "sort=-priority,title&limit=5&count=true", "sort=due_at&limit=3",
    "status=open&limit=3&count=true", "priority[gte]=2&sort=-created_at&limit=2",
    "q=wheel&limit=3&count=true", "limit=2&include=labels,workspace,children.creator",
)  # fmt: skip


@pytest.fixture(scope="module")
async def in_order(settings: Settings) -> AsyncIterator[Running]:
    """Another gateway, with plans of its own."""
    async with running(settings.model_copy(update={"COMPILED_READS": True})) as found:
        yield found


async def _all_pages(face: RestFace, actor: Account, query: str) -> list[Any]:
    found, after = [], ""
    for _ in range(20):
        page = await face.get(f"/items?{query}{after}", actor)
        found.append(page)
        if page["page"]["next"] is None or "skip" in query:
            return found
        after = f"&after={page['page']['next']}"
    raise AssertionError("no end")


async def _pages_back(face: RestFace, actor: Account, query: str, last: str) -> list[Any]:
    """The page that ends before the list's last row, and the pages before that."""
    answer = await face.send("GET", f"/items?{query}&before={last}", actor)
    found = [answer.json()]
    while (address := links(answer).get("prev")) is not None:
        answer = await face.send("GET", address.removeprefix("/api/v1"), actor)
        found.append(answer.json())
    return found


async def _last(graphql: GraphQLFace, actor: Account, query: str) -> tuple[str, str]:
    """The cursor and the identifier of the last of all rows in the query's order."""
    given = dict(parse_qsl(query))
    found = await connection(graphql, actor, last=1, sort=given["sort"].split(",") if "sort" in given else None)
    return found["edges"][0]["cursor"], found["edges"][0]["node"]["id"]


@pytest.mark.parametrize("query", QUERIES)
async def test_list_is_the_same_from_either_end(
    rest: RestFace, graphql: GraphQLFace, in_order: Running, ada: Account, eve: Account,
    monkeypatch: pytest.MonkeyPatch, query: str,
) -> None:  # fmt: skip
    for number in range(3):
        workspace = await make_workspace(rest, ada)
        for priority in range(3):
            due = {"due_at": f"2030-01-0{priority + 1}T00:00:00Z"} if priority else {}
            place = {"workspace_id": workspace["id"], "priority": priority, **due}
            await make_item(rest, ada, f"Wheel {priority} of {number}", **place)
    await make_item(rest, eve, "Wheel of somebody else")
    other = RestFace(in_order.client, in_order.gateway.catalogue)
    by_key = await _all_pages(rest, ada, query)
    paged, (cursor, last) = query.replace("&skip=2", ""), await _last(graphql, ada, query)
    back = await _pages_back(rest, ada, paged, cursor)
    if paged == query:
        rows = [row for page in by_key for row in page["data"]]
        assert [row for page in reversed(back) for row in page["data"]] == [row for row in rows if row["id"] != last]
    # Its plans are made now, for actors to whom one workspace is too many.
    monkeypatch.setattr(pages, "FEW", 0)
    walked = await _all_pages(other, ada, query)
    assert by_key == walked
    assert await _pages_back(other, ada, paged, cursor) == back
    assert 0 < sum(len(page["data"]) for page in by_key) <= 9
