"""Filters in which something is missing: by accident they must not hold for more rows than were meant."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item

ALL, NONE = 3, 0
DELIBERATE: list[tuple[Any, int]] = [
    (None, ALL), ({}, ALL), ({"and": []}, ALL), ({"and": [{}]}, ALL), ({"and": [{}, {"title": {"eq": "Axle"}}]}, 1),
    ({"or": []}, NONE), ({"and": [{"or": []}]}, NONE), ({"title": {"in": []}}, NONE), ({"title": {"not_in": []}}, ALL),
    ({"not": {"title": {"in": []}}}, ALL), ({"or": [{"title": {"in": []}}, {"title": {"eq": "Cog"}}]}, 1),
]  # fmt: skip
ACCIDENTS: list[tuple[Any, dict[str, str]]] = [
    ({"title": {}}, {"filter.title": "required"}),
    ({"id": {}}, {"filter.id": "required"}),
    ({"title": {"eq": "Axle"}, "due_at": {}}, {"filter.due_at": "required"}),
    ({"and": [{"title": {}}]}, {"filter.and[0].title": "required"}),
    ({"or": [{"title": {"eq": "Axle"}}, {"status": {}}]}, {"filter.or[1].status": "required"}),
    ({"not": {"title": {}}}, {"filter.not.title": "required"}),
    ({"or": [{}]}, {"filter.or[0]": "required"}),
    ({"or": [{"title": {"eq": "Axle"}}, {}]}, {"filter.or[1]": "required"}),
    ({"or": [{"and": [{}]}]}, {"filter.or[0]": "required"}),
    ({"not": {}}, {"filter.not": "required"}),
    ({"not": {"or": []}}, {"filter.not": "required"}),
    ({"title": {"eq": None}}, {"filter.title.eq": "type"}),
    ({"title": {"ne": None}}, {"filter.title.ne": "type"}),
    ({"title": {"in": None}}, {"filter.title.in": "type"}),
    ({"title": {"in": ["Axle", None]}}, {"filter.title.in[1]": "required"}),
    ({"due_at": {"is_null": None}}, {"filter.due_at.is_null": "type"}),
    ({"or": None}, {"filter.or": "type"}),
    ({"not": None}, {"filter.not": "type"}),
]


@pytest.fixture(scope="module")
async def owner(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    """Somebody with three items."""
    found = await sign_up(client)
    for title in ("Axle", "Brake", "Cog"):
        await make_item(RestFace(client, gateway.catalogue), found, title)
    return found


@pytest.mark.parametrize(("asked", "size"), DELIBERATE, ids=str)
async def test_filter_that_asks_for_nothing_is_none(face: Face, owner: Account, asked: Any, size: int) -> None:
    found = await face.ok("list_items", owner, filter=asked, count=True)
    assert found["page"]["total"] == len(found["data"]) == size


@pytest.mark.parametrize(("asked", "errors"), ACCIDENTS, ids=str)
async def test_condition_without_its_half_is_refused(
    face: Face, owner: Account, asked: Any, errors: dict[str, str]
) -> None:
    for _ in range(2):  # plans are remembered by the shape of a filter
        answer = await face.call("list_items", owner, filter=asked)
        assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, errors)


@pytest.mark.parametrize(("asked", "errors"), ACCIDENTS, ids=str)
async def test_search_refuses_the_same(rest: RestFace, owner: Account, asked: Any, errors: dict[str, str]) -> None:
    answer = rest.read(await rest.send("POST", "/items/search", owner, content=orjson.dumps({"filter": asked})))
    assert (answer.problem, answer.errors) == ("validation_failed", errors)


LEFT_OUT = {
    "query($id: ID) { items(filter: {id: {eq: $id}}) { nodes { id } } }": "filter.id",
    "query($id: ID) { items(filter: {or: [{id: {eq: $id}}]}) { totalCount } }": "filter.or[0].id",
    "query($ids: [ID!]) { items(filter: {id: {in: $ids}}) { nodes { id } } }": "filter.id",
    "query($id: ID) { items(filter: {not: {id: {ne: $id}}}) { nodes { id } } }": "filter.not.id",
    "query($title: StringFilter) { items(filter: {or: [{title: $title}]}) { nodes { id } } }": "filter.or[0]",
    "query($title: StringFilter) { items(filter: {not: {title: $title}}) { nodes { id } } }": "filter.not",
    "query($id: ID) { me { createdItems(filter: {id: {eq: $id}}) { nodes { id } } } }": "filter.id",
    "query($id: ID) { items(filter: {id: {eq: $id}, title: {eq: \"Axle\"}}) { nodes { id } } }": "filter.id",
}  # fmt: skip


@pytest.mark.parametrize("document", LEFT_OUT)
async def test_variable_that_is_left_out_widens_no_filter(graphql: GraphQLFace, owner: Account, document: str) -> None:
    for given in ({}, {"id": "itm_" + "0" * 32, "ids": [], "title": {"eq": "x"}}, {}):
        found = await graphql.run(document, given, owner)
        if given:
            assert "errors" not in found
            continue
        (error,) = found["errors"]
        assert error["extensions"]["code"] == "validation_failed"
        assert [each["field"] for each in error["extensions"]["errors"]] == [LEFT_OUT[document]]


@pytest.mark.parametrize(
    "document",
    [
        "query($filter: ItemFilter) { items(filter: $filter) { totalCount } }",
        "query($title: StringFilter, $id: IDFilter) { items(filter: {title: $title, id: $id}) { totalCount } }",
        "query($all: [ItemFilter!]) { items(filter: {and: $all}) { totalCount } }",
        "query($order: [ItemOrder!]) { items(orderBy: $order) { totalCount } }",
        "query($least: Int) { items(filter: {priority: {gte: $least, lte: 4}}) { totalCount } }",
    ],
)
async def test_optional_variable_for_a_whole_condition_may_be_left_out(
    graphql: GraphQLFace, owner: Account, document: str
) -> None:
    for _ in range(2):
        assert await graphql.data(document, {}, owner) == {"items": {"totalCount": ALL}}


async def test_no_identifiers_are_no_rows(graphql: GraphQLFace, owner: Account) -> None:
    assert await graphql.data("{ nodes(ids: []) { id } }", None, owner) == {"nodes": []}


async def test_order_without_its_field_is_refused(graphql: GraphQLFace, owner: Account) -> None:
    document = "query($field: ItemOrderField!) { items(orderBy: [{field: $field}]) { totalCount } }"
    (error,) = (await graphql.run(document, {}, owner))["errors"]
    assert [each["code"] for each in error["extensions"]["errors"]] == ["required"]
