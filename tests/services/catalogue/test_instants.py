"""Instants with as many digits of a second as .NET, Java and Go write: taken, and cut to microseconds, everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item
from tests.support.lists import ids, walk

SHOWN = "2030-01-31T12:00:00.123456Z"
WRITTEN = [
    "2030-01-31T12:00:00.1234567Z", "2030-01-31T12:00:00.123456789Z", "2030-01-31T14:00:00.1234569999999+02:00",
    "2030-01-31t12:00:00,123456z",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
async def test_it_is_taken_in_inputs_and_filters(face: Face, ada: Account, text: str) -> None:
    made = await make_item(face, ada, due_at=text)
    assert made["due_at"] == SHOWN
    changed = await face.ok("update_item", ada, {"due_at": "2030-02-01T00:00:00Z"}, id=made["id"])
    changed = await face.ok("update_item", ada, {"due_at": text}, id=changed["id"])
    assert changed["due_at"] == SHOWN
    for asked, size in (
        ({"eq": text}, 1), ({"in": [text]}, 1), ({"gte": text}, 1), ({"lte": text}, 1), ({"gt": text}, 0),
        ({"ne": text}, 0),
    ):  # fmt: skip
        found = await face.ok("list_items", ada, filter={"due_at": asked}, count=True)
        assert found["page"]["total"] == size, asked


async def test_it_is_cut_and_not_rounded(face: Face, ada: Account) -> None:
    made = await make_item(face, ada, due_at="2029-12-31T23:59:59.9999999Z")
    assert made["due_at"] == "2029-12-31T23:59:59.999999Z"


async def test_pages_in_its_order_have_every_row_once(face: Face, ada: Account) -> None:
    """What differs behind the sixth digit is one instant, and goes by the key."""
    made = [await make_item(face, ada, due_at=f"2030-01-31T12:00:00.123456{digit}Z") for digit in "951"]
    assert ids(await walk(face, ada, "list_items", limit=1, sort=["due_at"])) == ids(made)
    assert ids(await walk(face, ada, "list_items", limit=2, sort=["-due_at"])) == ids(made)[::-1]


async def test_parameters_and_literals_take_it(rest: RestFace, graphql: GraphQLFace, ada: Account) -> None:
    made = await make_item(rest, ada, due_at=SHOWN)
    for text in WRITTEN:
        encoded = text.replace("+", "%2B")
        assert ids((await rest.get(f"/items?due_at={encoded}", ada))["data"]) == [made["id"]]
        found: Any = await graphql.data(
            f'{{ items(filter: {{dueAt: {{eq: "{text}"}}}}) {{ nodes {{ id }} }} }}', None, ada
        )
        assert ids(found["items"]["nodes"]) == [made["id"]]
    listed = await rest.get("/items?due_at[in]=2030-01-31T12:00:00.123456789Z%2C2031-01-01T00:00:00Z", ada)
    assert ids(listed["data"]) == [made["id"]]


async def test_expiry_takes_it(face: Face, ada: Account) -> None:
    end = datetime.now(UTC) + timedelta(days=2)
    text = f"{end:%Y-%m-%dT%H:%M:%S}.1234567Z"
    made = await face.ok("create_api_key", ada, {"name": "Go", "scopes": ["items:read"], "expires_at": text})
    (key,) = (await face.ok("list_api_keys", ada, filter={"id": {"eq": made["id"]}}))["data"]
    assert key["expires_at"] == f"{end:%Y-%m-%dT%H:%M:%S}.123456Z"


async def test_leap_second_is_the_second_behind_it(face: Face, ada: Account) -> None:
    assert (await make_item(face, ada, due_at="2016-12-31T23:59:60.5Z"))["due_at"] == "2017-01-01T00:00:00.500000Z"
