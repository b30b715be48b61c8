"""What generated documents have found, each as small as it can be."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.services.reader.conftest import Pair
from tests.support.asgi import graphql, request

COMPUTED_TWICE = "{ items(first: 20) { nodes { workspace { isPersonal } parent { workspace { isPersonal } } } } }"


async def test_computed_column_of_two_rows_joined_to_one_level(pair: Pair) -> None:
    headers = pair.village.caller("ada, owner").headers
    one, other = [(await graphql(each.app, {"query": COMPUTED_TWICE}, headers)).json() for each in _both(pair)]
    assert "errors" not in other
    assert one == other


async def test_included_computed_column_of_two_rows_joined_to_one_level(pair: Pair) -> None:
    query, headers = b"include=workspace,parent.workspace", pair.village.caller("ada, owner").headers
    one, other = [await request(each.app, "GET", "/api/v1/items", query=query, headers=headers) for each in _both(pair)]
    assert (one.status, one.content) == (other.status, other.content)
    assert one.status == 200


async def test_cursor_of_another_order_below_a_row_that_is_not_there(pair: Pair) -> None:
    """Both ways it is the row that is missing, or the cursor that is wrong."""
    path, headers = f"/api/v1/users/{pair.material.unknown('User')}/comments", pair.village.caller("ada, owner").headers
    replies = [await request(each.app, "GET", path, query=b"after=nonsense", headers=headers) for each in _both(pair)]
    assert replies[0].status == replies[1].status


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
async def test_outermost_instants_are_kept(twins: Pair, instant: str) -> None:
    """PostgreSQL's driver takes them for infinities."""
    headers = {**twins.village.caller("ada, owner").headers, "Content-Type": "application/json"}
    body: dict[str, Any] = {"title": "far", "due_at": instant}
    for each in _both(twins):
        made = await request(each.app, "POST", "/api/v1/items", headers=headers, content=orjson.dumps(body))
        assert made.status in (201, 422), made.content
        if made.status == 201:
            found = await request(each.app, "GET", f"/api/v1/items/{made.json()['id']}", headers=headers)
            assert (made.json()["due_at"], found.json()["due_at"]) == (instant, instant)


def _both(pair: Pair) -> Any:
    return pair.compiled, pair.reference
