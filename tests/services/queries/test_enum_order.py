"""Lists sorted by an enum have the order of its declaration, on pages in both directions, among others and nulls."""

from __future__ import annotations

import httpx
import pytest

from services.engine.gateway import Gateway
from services.sample.items.models import ItemStatus
from tests.support.accounts import Account, sign_up
from tests.support.backward import walk_back
from tests.support.faces import Face, RestFace
from tests.support.factories import insert_items, personal_workspace
from tests.support.lists import ids, walk

DECLARED = ["open", "in_progress", "done", "archived"]


@pytest.fixture(scope="module")
async def owner(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    """Somebody with three items of each status."""
    found = await sign_up(client)
    workspace = await personal_workspace(RestFace(client, gateway.catalogue), found)
    rows = [{"status": status, "priority": number} for number in range(3) for status in reversed(ItemStatus)]
    await insert_items(gateway, found, workspace, rows)
    return found


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
@pytest.mark.parametrize("sort", ["status", "-status"])
async def test_declared_order_on_pages_in_both_directions(face: Face, owner: Account, sort: str, limit: int) -> None:
    expected = [each for each in DECLARED for _ in range(3)]
    expected = expected[::-1] if sort[0] == "-" else expected
    forwards = await walk(face, owner, "list_items", limit=limit, sort=[sort])
    assert [row["status"] for row in forwards] == expected
    assert await walk_back(face, owner, limit=limit, sort=[sort]) == ids(forwards)


async def test_declared_order_with_others_in_other_directions(face: Face, owner: Account) -> None:
    found = await walk(face, owner, "list_items", limit=2, sort=["-status", "priority"])
    assert [(row["status"], row["priority"]) for row in found] == [
        (status, priority) for status in reversed(DECLARED) for priority in range(3)
    ]
    found = await walk(face, owner, "list_items", limit=2, sort=["due_at", "status", "-priority"])
    assert [(row["status"], row["priority"]) for row in found] == [
        (status, priority) for status in DECLARED for priority in (2, 1, 0)
    ]
