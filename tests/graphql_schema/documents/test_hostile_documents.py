"""Documents and values made to cost much: what is planned, and remembered, stays within bounds."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pytest

from graphql_schema.execution.compiled import CompiledOperations
from graphql_schema.execution.selections import MAX_MEMBERS
from services.reader.plans import LONGEST
from services.reader.statement import MAX_PARTS
from tests.support.accounts import Account
from tests.support.apps import Running
from tests.support.asgi import Reply, graphql, observed
from tests.support.factories import make_item, unknown_id
from tests.support.statements import statements

SIZE: Final = 20
FLAGS: Final = ("a", "b", "c", "d", "e")


async def asked(
    small: Running, query: str, variables: Any = None, actor: Account | None = None, name: str | None = None
) -> tuple[Reply, str | None]:
    """The answer to a document, and the way it went."""
    body = {"query": query, "variables": variables, "operationName": name}
    with observed() as seen:
        reply = await graphql(small.app, body, actor.headers if actor else {})
    return reply, seen[-1].path


def doubling(levels: int, name: str) -> str:
    """A document whose fragments stand for two of the next one each."""
    flags = ", ".join(f"${each}: Boolean!" for each in FLAGS[:4])
    head = f'query {name}({flags}) {{ item(id: "{unknown_id("itm")}") {{ ...f0 }} }}'
    between = [
        f"fragment f{n} on Item {{ x: parent {{ ...f{n + 1} }} y: parent {{ ...f{n + 1} }} }}" for n in range(levels)
    ]
    shown = " ".join(
        f"{field} @skip(if: ${flag})" for field, flag in zip(("id", "title", "status", "priority"), FLAGS, strict=False)
    )
    return " ".join([head, *between, f"fragment f{levels} on Item {{ __typename {shown} }}"])


async def test_fragments_that_multiply_are_left_before_they_are_there(
    small: Running, somebody: Account, compiled: CompiledOperations
) -> None:
    document = doubling(13, "Doubling")
    for values in product((True, False), repeat=4):
        for _ in range(2):
            _, path = await asked(small, document, dict(zip(FLAGS, values, strict=False)), somebody)
            assert path == "general"
    variants = compiled._variants
    assert [each for key, each in variants.items() if "Doubling" in key[0]] == [None] * 16


async def test_variants_are_weighed_by_what_is_in_them(
    small: Running, somebody: Account, compiled: CompiledOperations
) -> None:
    fields = " ".join(f"a{n}: title" for n in range(MAX_MEMBERS // 4))
    for number in range(3):
        document = (
            f"query Wide{number} {{ items(first: 1) {{ nodes {{ {fields} }} edges {{ node {{ {fields} }} }} }} }}"
        )
        for _ in range(2):
            await asked(small, document, None, somebody)
    assert compiled._variants.currsize <= SIZE


async def test_nothing_is_planned_for_nobody(small: Running, compiled: CompiledOperations) -> None:
    document = "query Nobody($id: ID!) { item(id: $id) { id title } }"
    for _ in range(3):
        reply, path = await asked(small, document, {"id": unknown_id("itm")})
        assert (reply.json()["errors"][0]["extensions"]["code"], path) == ("unauthenticated", "general")
    assert not [key for key in compiled._variants if "Nobody" in key[0]]


async def test_filters_in_ever_other_shapes_are_planned_when_a_shape_comes_again(
    small: Running, somebody: Account
) -> None:
    document = "query($f: ItemFilter) { items(first: 1, filter: $f) { nodes { id } } }"
    first = {"f": {"priority": {"gte": 1}}}
    assert [(await asked(small, document, first, somebody))[1] for _ in range(3)] == ["general", "compiled", "compiled"]
    plans = small.gateway.reader.plans._remembered if small.gateway.reader else {}
    before = len(plans)
    for operator in ("lt", "lte", "gt", "eq", "ne"):
        assert (await asked(small, document, {"f": {"priority": {operator: 1}}}, somebody))[1] == "general"
    assert len(plans) == before
    assert (await asked(small, document, {"f": {"priority": {"lt": 3}}}, somebody))[1] == "compiled"


async def test_rest_plans_a_shape_when_it_comes_again(small: Running, somebody: Account) -> None:
    ways = []
    for number in range(3):
        with observed() as seen:
            await small.face("rest").ok(
                "list_items", somebody, filter={"title": {"contains": f"word {number}"}}, limit=3
            )
        ways.append(seen[-1].path)
    assert ways == ["general", "compiled", "compiled"]


async def test_statement_that_gets_too_long_goes_down_the_general_path(small: Running, somebody: Account) -> None:
    lists = " ".join(
        f"a{n}: children(first: 1, filter: $f) {{ totalCount pageInfo {{ endCursor }} nodes {{ id }} }}"
        for n in range(MAX_PARTS // 2)
    )
    document = f"query($f: ItemFilter) {{ items(first: 1) {{ nodes {{ {lists} }} }} }}"
    values = {"f": {"or": [{"priority": {"gte": 1}}] * 20}}
    ways = [(await asked(small, document, values, somebody))[1] for _ in range(4)]
    assert ways == ["general"] * 4
    plans = small.gateway.reader.plans._remembered if small.gateway.reader else {}
    assert all(each is None or len(each.text) <= LONGEST for each in plans.values())


async def test_every_combination_of_directives_is_compiled(small: Running, somebody: Account) -> None:
    given = ", ".join(f"${flag}: Boolean!" for flag in FLAGS)
    names = ("id", "username", "email", "fullName", "createdAt")
    shown = " ".join(f"{name} @include(if: ${flag})" for name, flag in zip(names, FLAGS, strict=True))
    document = f"query({given}) {{ me {{ __typename {shown} }} }}"
    for values in product((True, False), repeat=len(FLAGS)):
        variables = dict(zip(FLAGS, values, strict=True))
        replies = [await asked(small, document, variables, somebody) for _ in range(3)]
        assert replies[-1][1] == "compiled"
        wanted = [name for name, value in zip(names, values, strict=True) if value]
        assert list(replies[-1][0].json()["data"]["me"]) == ["__typename", *wanted]


@pytest.mark.parametrize(
    ("of_a", "use", "value"),
    [("[ID!]!", "nodes(ids: $x) { id }", []), ("ItemFilter", "items(filter: $x) { nodes { id } }", {})],
)
async def test_variable_of_another_operation_with_the_same_name_is_another(
    small: Running, somebody: Account, of_a: str, use: str, value: Any
) -> None:
    document = f"query A($x: {of_a}) {{ {use} }} query B($x: Boolean!) {{ me {{ id @skip(if: $x) __typename }} }}"
    ways = []
    for _ in range(3):
        reply, path = await asked(small, document, {"x": value}, somebody, "A")
        assert (reply.status, "errors" in reply.json()) == (200, False)
        ways.append(path)
    assert ways == ["general", "compiled", "compiled"]


NULLS: Final = [
    ("query($a: Boolean = true) { me { id @skip(if: $a) } }", "if", "required"),
    ("query($a: [ID!] = []) { nodes(ids: $a) { id } }", "ids", "required"),
    (
        "query($a: ItemOrderField = TITLE) { items(orderBy: [{field: $a}]) { nodes { id } } }",
        "orderBy.field",
        "required",
    ),
    # Of an input, its model is the judge, as on REST.
    ('mutation($a: String = "x") { createItem(input: {title: $a}) { item { id } } }', "title", "type"),
    ("query($a: Boolean = true) { me { ...f } } fragment f on User { id @skip(if: $a) }", "if", "required"),
]


@pytest.mark.parametrize(("document", "field", "code"), NULLS)
async def test_null_where_none_may_be_is_told_although_there_is_a_default(
    small: Running, somebody: Account, document: str, field: str, code: str
) -> None:
    for _ in range(3):
        reply, _ = await asked(small, document, {"a": None}, somebody)
        problem = reply.json()["errors"][0]["extensions"]
        assert problem["code"] == "validation_failed"
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [(field, code)]


async def test_edges_and_cursors_are_counted_as_fields(
    small: Running, somebody: Account, compiled: CompiledOperations
) -> None:
    edges = " ".join(f"e{n}: edges {{ ...E }}" for n in range(95))
    cursors = " ".join(f"c{n}: cursor" for n in range(95))
    document = f"query Edges {{ items(first: 1) {{ {edges} }} }} fragment E on ItemEdge {{ {cursors} }}"
    for _ in range(2):
        reply, path = await asked(small, document, None, somebody)
        assert (reply.status, path) == (200, "general")
    assert [variant for key, variant in compiled._variants.items() if "Edges" in key[0]] == [None]


async def test_first_sight_of_a_document_reads_what_its_parts_share_once(small: Running, somebody: Account) -> None:
    nodes = " ".join(f'n{n}: node(id: "{unknown_id("itm")}") {{ id }}' for n in range(20))
    comments = " ".join(f"c{n}: comments(first: 2) {{ nodes {{ body }} }}" for n in range(20))
    workspaces = " ".join(f"w{n}: workspace {{ name }}" for n in range(20))
    for document, expected in (
        (f"query Nodes {{ {nodes} }}", 1),
        (f"query Comments {{ items(first: 5) {{ nodes {{ {comments} }} }} }}", 2),
        (f"query Workspaces {{ items(first: 5) {{ nodes {{ {workspaces} }} }} }}", 2),
    ):
        await make_item(small.face("graphql"), somebody)
        with statements(small.gateway) as sent:
            reply, path = await asked(small, document, None, somebody)
        assert (reply.status, path, len(sent)) == (200, "general", expected)
