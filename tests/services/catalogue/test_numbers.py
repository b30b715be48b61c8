"""Integers are taken however JSON writes them, and refused alike, wherever numbers come in."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item

TWO = ["2", "2.0", "2e0", "20E-1", "0.2e1", "2.00000000000000000000000000001"]
NOT_TWO = {
    "2.5": "type", "true": "type", '"2"': "type", '"2.0"': "type", "[2]": "type", "2147483648.0": "range",
    "-2147483649": "range", "1e9": "range", "9007199254740993": "range", "10000000000000000000000": "range",
}  # fmt: skip
NO_JSON = ["1e400", "NaN", "-Infinity", "02", "2.", "+2", "0x2"]


def written(text: str) -> Any:
    """A piece of JSON, as it is."""
    return orjson.Fragment(text)


@pytest.mark.parametrize("text", TWO)
async def test_integer_of_an_input_is_taken(face: Face, ada: Account, text: str) -> None:
    made = await face.ok("create_item", ada, {"title": "Wheel", "priority": written(text)})
    assert (made["priority"], type(made["priority"])) == (2, int)
    entries = [{"update": {"id": made["id"], "priority": written("3.0")}}]
    (outcome,) = (await face.ok("batch_items", ada, {"operations": entries}))["results"]
    assert outcome["data"]["priority"] == 3


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "-0.0", "0e5"])
async def test_zero_is_zero(face: Face, ada: Account, text: str) -> None:
    assert (await make_item(face, ada, priority=written(text)))["priority"] == 0


@pytest.mark.parametrize("text", NOT_TWO)
async def test_what_is_no_integer_is_refused(face: Face, ada: Account, text: str) -> None:
    answer = await face.call("create_item", ada, {"title": "Wheel", "priority": written(text)})
    assert (answer.problem, answer.errors) == ("validation_failed", {"priority": NOT_TWO[text]})
    entries = [{"create": {"title": "Wheel", "priority": written(text)}}]
    answer = await face.call("batch_items", ada, {"operations": entries})
    assert (answer.problem, answer.errors) == (
        "validation_failed", {"operations[0].create.priority": NOT_TWO[text]},
    )  # fmt: skip
    assert (await face.ok("list_items", ada))["data"] == []


@pytest.mark.parametrize("text", NO_JSON)
@pytest.mark.parametrize("member", ["priority", "title", "description"])
async def test_number_that_json_does_not_have_is_malformed(face: Face, ada: Account, text: str, member: str) -> None:
    answer = await face.call("create_item", ada, {"title": "Wheel", member: written(text)})
    assert (answer.problem, answer.status) == ("bad_request", 400)
    assert (await face.ok("list_items", ada))["data"] == []


@pytest.mark.parametrize("value", [2, 2.0])
async def test_filters_and_pages_take_it(face: Face, ada: Account, value: float) -> None:
    for priority in (1, 2, 3):
        await make_item(face, ada, priority=priority)
    for asked, size in (({"eq": value}, 1), ({"in": [value, 3.0]}, 2), ({"gte": value}, 2), ({"not_in": [value]}, 2)):
        found = await face.ok("list_items", ada, filter={"priority": asked}, limit=value, count=True)
        assert (found["page"]["total"], len(found["data"])) == (size, min(size, 2))


@pytest.mark.parametrize(("value", "code"), [(2.5, "type"), (True, "type"), (2**31 * 1.0, "range"), (1e22, "range")])
async def test_filters_refuse_the_same(face: Face, ada: Account, value: float, code: str) -> None:
    answer = await face.call("list_items", ada, filter={"priority": {"lt": value}})
    assert (answer.problem, answer.errors) == ("validation_failed", {"filter.priority.lt": code})
    answer = await face.call("list_items", ada, limit=value)
    assert answer.errors == {"limit" if face.name == "rest" else "first": code}


@pytest.mark.parametrize("text", ["2", "2.0", "2e0", "02", "0.2e%2B1"])
async def test_parameters_and_searches_take_it(rest: RestFace, ada: Account, text: str) -> None:
    for priority in (1, 2, 3):
        await make_item(rest, ada, str(priority), priority=priority)
    (found,) = (await rest.get(f"/items?priority={text}&limit={text}", ada))["data"]
    assert found["title"] == "2"
    found = await rest.get(f"/items?priority[in]=1.0,{text}&skip=1.0", ada)
    assert len(found["data"]) == 1
    answer = await rest.send("POST", "/items/search", ada, content=b'{"limit": 2.0, "skip": 1e0}')
    assert [each["title"] for each in answer.json()["data"]] == ["2", "1"]


@pytest.mark.parametrize("text", ["2.5", "1e400", "x", "", "true", "2,5", "٢"])
async def test_parameters_refuse_what_is_no_integer(rest: RestFace, ada: Account, text: str) -> None:
    answer = rest.read(await rest.send("GET", f"/items?priority={text}", ada))
    assert answer.errors == {"filter.priority.eq": "type"}


async def test_literal_of_a_document_is_graphqls(graphql: GraphQLFace, ada: Account) -> None:
    """A float in a document is none of Int's literals (specification, 3.5.1), as every tool of a client knows."""
    for document, field in (
        ("{ items(first: 2.0) { totalCount } }", "first"),
        ("{ items(filter: {priority: {eq: 2.0}}) { totalCount } }", "filter.priority.eq"),
        ('mutation { createItem(input: {title: "Wheel", priority: 2.0}) { item { id } } }', "priority"),
    ):
        (error,) = (await graphql.run(document, None, ada))["errors"]
        assert error["extensions"]["code"] == "validation_failed"
        assert [each["field"] for each in error["extensions"]["errors"]] == [field]


async def test_page_counts_in_full_however_it_is_written(graphql: GraphQLFace, ada: Account) -> None:
    """A page of 100.0 rows must not be weighed as one of the usual size."""
    document = """query($n: Int) { items(first: $n) { nodes { children(first: $n) { nodes {
      comments(first: $n) { nodes { id } } } } } } }"""
    for value in (100, 100.0):
        (error,) = (await graphql.run(document, {"n": value}, ada))["errors"]
        assert error["extensions"]["code"] == "too_complex"


async def test_variable_written_with_a_point_is_compiled_too(graphql: GraphQLFace, ada: Account) -> None:
    await make_item(graphql, ada, priority=2)
    document = "query($n: Int!, $p: [Int!]) { items(first: $n, filter: {priority: {in: $p}}) { totalCount } }"
    for given in ({"n": 1, "p": [2]}, {"n": 1.0, "p": [2.0, 3]}, {"n": 1e0, "p": 2.0}):
        assert await graphql.data(document, given, ada) == {"items": {"totalCount": 1}}
