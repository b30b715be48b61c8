"""How much a request may ask for with `include`: weighed before anything is read."""

from __future__ import annotations

import pytest
from httpx import AsyncClient

from services.engine.gateway import Gateway
from services.queries import selections
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.factories import make_item
from tests.support.state import unchanged
from tests.support.statements import statements

DEEP = "children.children.labels"
WIDE = "children.children.labels,children.children.comments,children.children.children"


@pytest.mark.parametrize("path", ["/items", "/items/itm_{id}/children", "/labels/lbl_{id}/items"])
async def test_full_lists_three_levels_deep_are_refused_before_anything_is_read(
    rest: RestFace, gateway: Gateway, ada: Account, path: str
) -> None:
    with statements(gateway) as sent:
        answer = await rest.send("GET", path.format(id="0" * 32), ada, params={"limit": "100", "include": DEEP})
    assert sent == []
    assert (answer.status_code, answer.json()["code"]) == (422, "too_complex")
    assert answer.json()["detail"] == "The lists asked for could hold more than 20,000 rows."


async def test_single_row_is_refused_with_too_much_below_it(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    item = await make_item(rest, ada)
    with statements(gateway) as sent:
        answer = await rest.send("GET", f"/items/{item['id']}", ada, params={"include": WIDE})
    assert sent == []
    assert (answer.status_code, answer.json()["code"]) == (422, "too_complex")


async def test_what_is_within_the_limit_is_answered(rest: RestFace, ada: Account) -> None:
    parent = await make_item(rest, ada, "parent")
    await make_item(rest, ada, "child", parent_id=parent["id"])
    found = await rest.get("/items", ada, limit="100", include="children,labels,comments")
    assert [[each["title"] for each in row["children"]["data"]] for row in found["data"]] == [[], ["child"]]
    found = await rest.get("/items", ada, limit="2", include=DEEP)
    assert len(found["data"]) == 2


async def test_answer_of_a_write_is_weighed_before_anything_is_written(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    async with unchanged(gateway):
        answer = await rest.send("POST", "/items", ada, params={"include": WIDE}, content=b'{"title": "Never"}')
    assert (answer.status_code, answer.json()["code"]) == (422, "too_complex")


async def test_who_may_not_call_is_told_that_instead(rest: RestFace) -> None:
    answer = await rest.send("GET", "/items", params={"limit": "100", "include": DEEP})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


WITH_INCLUDE = [
    ("/items", "get"),
    ("/items/{id}", "get"),
    ("/items/{id}/children", "get"),
    ("/items", "post"),
    ("/items/{id}", "patch"),
]


@pytest.mark.parametrize(("path", "method"), WITH_INCLUDE)
async def test_refusal_is_documented_where_relations_can_be_included(
    client: AsyncClient, path: str, method: str
) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    operation = next(of[method] for where, of in document["paths"].items() if where.removeprefix("/api/v1") == path)
    names = [each.get("name") or each["$ref"].rpartition("/")[2] for each in operation["parameters"]]
    assert "item.include" in names
    assert "too_complex" in str(operation["responses"]["422"])


@pytest.mark.parametrize(("limit", "status"), [(42, 200), (41, 422)])
async def test_rows_are_counted_with_those_below_them(
    rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch, limit: int, status: int
) -> None:
    monkeypatch.setattr(selections, "MAX_ROWS", limit)
    answer = await rest.send("GET", "/items", ada, params={"limit": "2", "include": "labels"})
    assert answer.status_code == status, answer.text
