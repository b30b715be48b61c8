"""Documents: what runs, what is refused, and how."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import GraphQLFace
from tests.support.factories import make_item, make_label, unknown_id
from tests.support.state import unchanged

MAX_SIZE = 5_000


async def test_aliases_and_fragments(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada, "Wheel")
    query = """
        query Two($id: ID!, $deep: Boolean!) {
            one: item(id: $id) { ...Short creator @include(if: $deep) { username } }
            two: item(id: $id) { name: title ... on Item { status } ... on Node { id } }
        }
        fragment Short on Item { title }
    """
    found = await graphql.data(query, {"id": item["id"], "deep": False}, ada)
    assert found == {"one": {"title": "Wheel"}, "two": {"name": "Wheel", "status": "OPEN", "id": item["id"]}}


async def test_same_list_with_different_arguments_under_aliases(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada, "Wheel")
    for name in ("brass", "steel"):
        label = await make_label(graphql, ada, name)
        await graphql.ok("attach_label", ada, {"label_id": label["id"]}, id=item["id"])
    query = """{ items { nodes {
        all: labels(orderBy: [{field: NAME}]) { nodes { name } totalCount }
        b: labels(filter: {name: {startsWith: "b"}}) { nodes { name } totalCount }
        last: labels(first: 1, orderBy: [{field: NAME, direction: DESC}]) { nodes { name } totalCount }
    } } }"""
    (node,) = (await graphql.data(query, actor=ada))["items"]["nodes"]
    assert node == {
        "all": {"nodes": [{"name": "brass"}, {"name": "steel"}], "totalCount": 2},
        "b": {"nodes": [{"name": "brass"}], "totalCount": 1},
        "last": {"nodes": [{"name": "steel"}], "totalCount": 2},
    }


async def test_node_finds_anything_readable(graphql: GraphQLFace, ada: Account, eve: Account) -> None:
    item, label = await make_item(graphql, ada), await make_label(graphql, ada)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    ids = [label["id"], unknown_id("itm"), item["id"], ada.id, item["id"]]
    found = (await graphql.data(query, {"ids": ids}, ada))["nodes"]
    assert found == [
        {"__typename": "Label", "id": label["id"]}, None, {"__typename": "Item", "id": item["id"]},
        {"__typename": "User", "id": ada.id}, {"__typename": "Item", "id": item["id"]},
    ]  # fmt: skip
    assert (await graphql.data(query, {"ids": ids[:3]}, eve))["nodes"] == [None, None, None]
    single = "query($id: ID!) { node(id: $id) { id ... on Item { title } } }"
    assert await graphql.data(single, {"id": item["id"]}, ada) == {"node": {"id": item["id"], "title": "Wheel"}}


@pytest.mark.parametrize(
    ("field", "variables", "errors"),
    [
        ("node(id: $id) { id }", {"id": "itm_1"}, {"id": "format"}),
        ("node(id: $id) { id }", {"id": "zzz_" + "0" * 32}, {"id": "format"}),
        ("item(id: $id) { id }", {"id": "lbl_" + "0" * 32}, {"id": "format"}),
    ],
)
async def test_malformed_identifier_is_named(
    graphql: GraphQLFace, ada: Account, field: str, variables: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = graphql.read(await graphql.post({"query": f"query($id: ID!) {{ {field} }}", "variables": variables}, ada))
    assert answer is not None
    assert (answer.problem, answer.errors) == ("validation_failed", errors)


NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"


def places(body: dict[str, Any]) -> list[tuple[list[str | int], str, str | None]]:
    """Of each error: where it is, its code, and the field at fault."""
    found = []
    for each in body["errors"]:
        fields = [error["field"] for error in each["extensions"].get("errors", [{"field": None}])]
        found.append((each["path"], each["extensions"]["code"], *fields))
    return found


@pytest.mark.parametrize("malformed", ["", "nonsense", "itm_1", "zzz_" + "0" * 32, "ITM_" + "0" * 32])
async def test_malformed_identifier_among_others_is_an_error_in_its_place(
    graphql: GraphQLFace, ada: Account, malformed: str
) -> None:
    item = await make_item(graphql, ada)
    ids = [item["id"], malformed, ada.id, unknown_id("itm"), malformed]
    for _ in range(2):  # as it is seen first, and as it is remembered
        body = await graphql.run(NODES.replace("nodes", "me { id } nodes"), {"ids": ids}, ada)
        assert body["data"] == {
            "me": {"id": ada.id}, "nodes": [{"id": item["id"]}, None, {"id": ada.id}, None, None]
        }  # fmt: skip
        assert places(body) == [
            (["nodes", 1], "validation_failed", "ids[1]"),
            (["nodes", 4], "validation_failed", "ids[4]"),
        ]
    assert await graphql.data(NODES, {"ids": [unknown_id("itm")]}, ada) == {"nodes": [None]}


async def test_node_that_needs_another_scope_is_an_error_in_its_place(
    client: httpx.AsyncClient, graphql: GraphQLFace
) -> None:
    weak = await sign_up(client, scope="users:read")
    body = await graphql.run(NODES, {"ids": [unknown_id("lbl"), weak.id]}, weak)
    assert body["data"] == {"nodes": [None, {"id": weak.id}]}
    assert places(body) == [(["nodes", 0], "insufficient_scope", None)]


async def test_nodes_are_one_error_where_nothing_can_be_found(graphql: GraphQLFace, ada: Account) -> None:
    for actor, ids, found in (
        (ada, ["x", "itm_1"], ("validation_failed", "ids[0]")),
        (None, [ada.id, "x"], ("unauthenticated", None)),
    ):
        body = await graphql.run(NODES, {"ids": ids}, actor)
        assert (body["data"], places(body)) == (None, [(["nodes"], *found)])
    assert await graphql.data(NODES, {"ids": []}, ada) == {"nodes": []}


async def test_at_most_100_nodes_are_found_at_once(graphql: GraphQLFace, ada: Account) -> None:
    body = {"query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": {"ids": [ada.id] * 101}}
    answer = graphql.read(await graphql.post(body, ada))
    assert answer is not None
    assert (answer.problem, answer.errors) == ("validation_failed", {"ids": "length"})


async def test_fields_fail_by_themselves(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada)
    query = "query($id: ID!, $none: ID!) { good: item(id: $id) { id } bad: item(id: $none) { id } }"
    body = await graphql.run(query, {"id": item["id"], "none": unknown_id("itm")}, ada)
    assert body["data"] == {"good": {"id": item["id"]}, "bad": None}
    assert [(error["path"], error["extensions"]["code"]) for error in body["errors"]] == [(["bad"], "not_found")]


async def test_mutations_run_one_after_the_other(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada)
    change = 'updateItem(input: {{id: "{id}", title: "{title}"}}) {{ item {{ version title }} }}'
    parts = [f"m{number}: " + change.format(id=item["id"], title=f"t{number}") for number in range(3)]
    found = await graphql.data("mutation { " + " ".join(parts) + " }", actor=ada)
    assert [found[f"m{number}"]["item"] for number in range(3)] == [
        {"version": number + 2, "title": f"t{number}"} for number in range(3)
    ]


async def test_payload_of_a_mutation_can_be_read_on(graphql: GraphQLFace, ada: Account) -> None:
    label = await make_label(graphql, ada)
    query = """mutation($id: ID!) { createItem(input: {title: "Wheel", labelIds: [$id]}) {
        item { creator { username } labels { nodes { name items { totalCount } } } workspace { isPersonal } }
    } }"""
    found = (await graphql.data(query, {"id": label["id"]}, ada))["createItem"]["item"]
    assert found == {
        "creator": {"username": ada.username},
        "labels": {"nodes": [{"name": "brass", "items": {"totalCount": 1}}]},
        "workspace": {"isPersonal": True},
    }


TWO = "query A { me { id } } query B { users { totalCount } }"


@pytest.mark.parametrize("name", [None, "", "C"])
async def test_several_operations_need_a_name_that_is_one_of_theirs(
    graphql: GraphQLFace, ada: Account, name: str | None
) -> None:
    answer = graphql.read(await graphql.post({"query": TWO, "operationName": name}, ada))
    assert answer is not None
    assert (answer.problem, answer.status) == ("invalid_document", 400)


async def test_named_operation_runs(graphql: GraphQLFace, ada: Account) -> None:
    body = (await graphql.post({"query": TWO, "operationName": "A"}, ada)).json()
    assert body == {"data": {"me": {"id": ada.id}}}


INVALID = {
    "syntax": "{ me { id }",
    "no operation": "fragment F on User { id }",
    "unknown field": "{ me { password } }",
    "unknown argument": "{ me(id: 5) { id } }",
    "no selection of an object": "{ me }",
    "unknown fragment": "{ me { ...F } }",
    "fragments in a circle": "{ me { ...F } } fragment F on User { ...G } fragment G on User { ...F }",
    "subscription": "subscription { items { id } }",
    "undefined variable": "{ item(id: $id) { id } }",
    "unused variable": "query($id: ID!) { me { id } }",
    "unknown directive": "{ me @nope { id } }",
    "type system": "type Query { me: Int }",
    "lone surrogate": '{ items(search: "\\ud800") { totalCount } }',
    "control character": "{ me { id \x00 } }",
    "long unknown field": "{ me { " + "x" * 100_000 + " } }",
    "many unknown fields": "{ me { " + " ".join(f"x{number}" for number in range(1_000)) + " } }",
    "too many tokens": "{ me { " + "id " * 6_000 + "} }",
    "deep selection": "{ items { nodes " + "{ parent " * 1_500 + "{ id }" + "}" * 1_502,
    "lists in lists": "{ nodes(ids: " + "[" * 400 + "]" * 400 + ") { id } }",
    "deep list literal": "{ nodes(ids: " + "[" * 2_000 + "]" * 2_000 + ") { id } }",
    "deep object literal": "{ items(filter: " + "{not: " * 1_200 + "{}" + "}" * 1_200 + ") { totalCount } }",
}


@pytest.mark.parametrize("query", INVALID.values(), ids=INVALID)
async def test_invalid_document_is_refused_without_an_echo(graphql: GraphQLFace, ada: Account, query: str) -> None:
    answer = graphql.read(await graphql.post({"query": query}, ada))
    assert answer is not None
    assert (answer.problem, answer.status) == ("invalid_document", 400)
    assert answer.size < MAX_SIZE


LITERALS = {
    "long integer": ("priority: " + "9" * 30, {"priority"}),
    "integer of 5,000 digits": ("priority: " + "9" * 5_000, {"priority"}),
    "integer of 64 bits": ("priority: 9223372036854775808", {"priority"}),
    "text as integer": ('priority: "1"', {"priority"}),
    "unknown member": ("status: NOPE", {"status"}),
    "text as member": ('status: "OPEN"', {"status"}),
    "integer as text": ("description: 5", {"description"}),
    "object as text": ("description: {a: 1}", {"description"}),
    "NUL": ('description: "a\\u0000b"', {"description"}),
    "lists in lists": ("labelIds: " + "[" * 100 + "]" * 100, {"label_ids"}),
    "unknown field": ("nope: 1", {"nope"}),
    "naive instant": ('dueAt: "2030-01-31T12:00:00"', {"due_at"}),
    "number as instant": ("dueAt: 5", {"due_at"}),
}


@pytest.mark.parametrize(("literal", "names"), LITERALS.values(), ids=LITERALS)
async def test_bad_literal_is_named_and_nothing_is_written(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, literal: str, names: set[str]
) -> None:
    query = f'mutation {{ createItem(input: {{title: "Wheel", {literal}}}) {{ item {{ id }} }} }}'
    async with unchanged(gateway):
        answer = graphql.read(await graphql.post({"query": query}, ada))
    assert answer is not None
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert {name.rpartition("input.")[2].partition("[")[0] for name in answer.errors or {}} == names
    assert answer.size < MAX_SIZE


@pytest.mark.parametrize("depth", [10, 100, 200, 300, 500, 900])
async def test_deep_filter_in_a_variable_is_refused(graphql: GraphQLFace, ada: Account, depth: int) -> None:
    content = (
        b'{"query": "query($filter: ItemFilter) { items(filter: $filter) { totalCount } }", "variables": {"filter": '
        + b'{"not": ' * depth + b"{}" + b"}" * depth + b"}}"
    )  # fmt: skip
    answer = graphql.read(await graphql.post(content, ada))
    assert answer is not None
    assert answer.problem in {"validation_failed", "bad_request"}
    assert answer.size < MAX_SIZE


async def test_missing_variable_is_named(graphql: GraphQLFace, ada: Account) -> None:
    answer = graphql.read(await graphql.post({"query": "query($id: ID!) { item(id: $id) { id } }"}, ada))
    assert answer is not None
    assert (answer.problem, answer.errors) == ("validation_failed", {"id": "required"})
