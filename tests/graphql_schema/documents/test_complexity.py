"""How much a document may ask for: weighed before anything is read, whichever way it is written."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, parse

from graphql_schema.documents.complexity import Bound
from graphql_schema.schema.schema import build_schema
from services.catalogue import Problem
from services.engine.gateway import Gateway
from services.queries import costs
from tests.support.accounts import Account
from tests.support.faces import CallResult, GraphQLFace
from tests.support.factories import make_item
from tests.support.statements import statements

ROWS = "The lists asked for could hold more than 20,000 rows."
LABELS = "labels(first: 100) { nodes { id } }"
ITEMS = "items(first: 100) { nodes { id %s } }"
CHILDREN = "children(first: 100) { nodes { id %s } }"
DEEPER = " fragment F on Item { labels(first: $n) { nodes { id } } }"
LOOPS = " ".join(f"fragment F{n} on Item {{ ...F{n + 1} ...F{n + 1} }}" for n in range(22)) + (
    " fragment F22 on Item { children(first: 1) { nodes { id } } }"
)


async def refused(
    graphql: GraphQLFace, gateway: Gateway, actor: Account, query: str, variables: dict[str, Any] | None = None
) -> CallResult:
    """The problem of a document that must not lead to any statement."""
    with statements(gateway) as sent:
        body = await graphql.post({"query": query, "variables": variables}, actor)
    assert sent == []
    assert body.json().get("data") is None
    answer = graphql.read(body)
    assert answer is not None
    return answer


TOO_MANY: dict[str, tuple[str, dict[str, Any]]] = {
    "nested lists": ("{ " + ITEMS % CHILDREN % LABELS + " }", {}),
    "through edges": ("{ " + (ITEMS % CHILDREN % LABELS).replace("nodes {", "edges { node {").replace("} }", "} } }")
                      + " }", {}),
    "default page size": (
        "{ items { nodes { children { nodes { children { nodes { labels { totalCount } } } } } } } }", {},
    ),
    "variable": (
        "query($n: Int) { items(first: $n) { nodes { children(first: $n) { nodes { ...F } } } } }"
        + DEEPER, {"n": 100},
    ),
    "default of a variable": (
        "query($n: Int = 100) { items(first: $n) { nodes { children(first: $n) { nodes { ...F } } } } }"
        + DEEPER, {},
    ),
    "null in a variable is the default page size": (
        "query($n: Int = 1) { items(first: 100) { nodes { children(first: $n) { nodes { ...F } } } } }"
        + DEEPER, {"n": None},
    ),
    "fragment": ("{ items(first: 100) { nodes { ...F } } } fragment F on Item { " + CHILDREN % LABELS + " }", {}),
    "fragment at the top": ("{ ...F } fragment F on Query { " + ITEMS % CHILDREN % LABELS + " }", {}),
    "inline fragment": ("{ items(first: 100) { nodes { ... on Item { ... { " + CHILDREN % LABELS + " } } } } }", {}),
    "inline fragment of an interface": (
        "query($id: ID!) { node(id: $id) { ... on Item { " + CHILDREN % (CHILDREN % LABELS) + " } } }",
        {"id": "itm_" + "0" * 32},
    ),
    "aliases": ("{ " + " ".join(f"a{n}: items(first: 100) {{ nodes {{ {LABELS} }} }}" for n in range(2)) + " }", {}),
    "aliases below": ("{ items(first: 100) { nodes { "
                      + " ".join(f"a{n}: labels(first: 100) {{ totalCount }}" for n in range(2)) + " } } }", {}),
    "nodes in a variable": (
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Item { "
        + CHILDREN % "labels(first: 3) { totalCount }" + " } } }",
        {"ids": ["itm_" + "0" * 32] * 100},
    ),
    "nodes in the document": (
        "{ nodes(ids: [" + ", ".join(['"itm_' + "0" * 32 + '"'] * 100) + "]) { ... on Item { "
        + CHILDREN % "labels(first: 3) { totalCount }" + " } } }", {},
    ),
}  # fmt: skip


TOO_MANY |= {
    f"{name}, from the end": (query.replace("first: ", "last: "), variables)
    for name, (query, variables) in TOO_MANY.items() if "first: " in query
}  # fmt: skip


@pytest.mark.parametrize(("query", "variables"), TOO_MANY.values(), ids=TOO_MANY)
async def test_too_many_rows_are_refused_before_anything_is_read(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, query: str, variables: dict[str, Any]
) -> None:
    answer = await refused(graphql, gateway, ada, query, variables)
    assert (answer.problem, answer.status, answer.errors) == ("too_complex", 422, {})
    assert answer.members is not None
    assert answer.members["detail"] == ROWS


async def test_refusal_has_its_status_for_clients_that_know_it(graphql: GraphQLFace, ada: Account) -> None:
    typed = "application/graphql-response+json"
    answer = await graphql.post({"query": TOO_MANY["nested lists"][0]}, ada, accept=typed)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (422, typed)


async def test_what_a_mutation_asks_for_is_weighed_before_it_is_done(
    graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    deep = CHILDREN % (CHILDREN % LABELS)
    query = 'mutation { createItem(input: {title: "Never"}) { item { ' + deep + " } } }"
    assert (await refused(graphql, gateway, ada, query)).problem == "too_complex"


async def test_what_is_within_the_limit_is_answered(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada)
    query = "query($n: Int!) { items(first: $n) { nodes { id labels(first: $n) { nodes { id } } } } }"
    found = await graphql.data(query, {"n": 100}, ada)
    assert found == {"items": {"nodes": [{"id": item["id"], "labels": {"nodes": []}}]}}
    several = "{ " + " ".join(f"a{n}: items(first: 100) {{ totalCount }}" for n in range(50)) + " }"
    assert await graphql.data(several, actor=ada) == {f"a{n}": {"totalCount": 1} for n in range(50)}


async def test_what_is_not_included_weighs_nothing(graphql: GraphQLFace, ada: Account) -> None:
    below = "... @include(if: $in) { " + CHILDREN % LABELS + " }"
    query = "query($in: Boolean = false) { items(first: 100) { nodes { id " + below + " } } }"
    assert await graphql.data(query, actor=ada) == {"items": {"nodes": []}}
    answer = graphql.read(await graphql.post({"query": query, "variables": {"in": True}}, ada))
    assert answer is not None
    assert answer.problem == "too_complex"


async def test_fragments_that_spread_each_other_twice_are_refused(
    graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    chain = [f"fragment F{n} on Item {{ a: parent {{ ...F{n + 1} }} b: parent {{ ...F{n + 1} }} }}" for n in range(14)]
    doubled = " ".join([*chain, "fragment F14 on Item { id }"])
    answer = await refused(graphql, gateway, ada, "{ items { nodes { ...F0 } } } " + doubled)
    assert answer.problem == "too_complex"


async def test_fragments_that_come_to_the_same_fields_are_one_question(graphql: GraphQLFace, ada: Account) -> None:
    assert await graphql.data("{ items { nodes { ...F0 } } } " + LOOPS, actor=ada) == {"items": {"nodes": []}}


@pytest.fixture(scope="module")
def schema(gateway: Gateway) -> GraphQLSchema:
    return build_schema(gateway.catalogue)._schema


def weighed(schema: GraphQLSchema, query: str, variables: dict[str, Any] | None = None) -> int:
    """The rows that a document is thought to ask for."""
    document = parse(query)
    (operation,) = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    return Bound(schema, {}, document, operation, variables or {}).weight.rows


async def test_fragment_is_weighed_once_however_often_it_is_spread(
    schema: GraphQLSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    original = Bound._below

    def counted(self: Bound, *arguments: Any) -> Any:
        calls.append(arguments)
        return original(self, *arguments)

    monkeypatch.setattr(Bound, "_below", counted)
    assert weighed(schema, "{ items(first: 1) { nodes { ...F0 } } } " + LOOPS) == 1 + 2**22
    assert len(calls) < 50


WEIGHTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "one row": ("{ me { id username } }", {}, 1),
    "a page and its rows": ("{ items(first: 7) { nodes { id } } }", {}, 7),
    "a page of the default size": ("{ items { nodes { id } } }", {}, 20),
    "rows counted only": ("{ items(first: 7) { totalCount pageInfo { hasNextPage } } }", {}, 7),
    "edges count as nodes": ("{ items(first: 7) { edges { cursor node { id } } } }", {}, 7),
    "to-one relations": ("{ items(first: 7) { nodes { creator { id } workspace { id } } } }", {}, 7 * 3),
    "lists in lists": ("{ items(first: 7) { nodes { labels(first: 5) { nodes { id } } } } }", {}, 7 * (1 + 5)),
    "three levels": (
        "{ items(first: 7) { nodes { children(first: 5) { nodes { labels(first: 3) { nodes { id } } } } } } }", {},
        7 * (1 + 5 * (1 + 3)),
    ),
    "variables": ("query($n: Int) { items(first: $n) { nodes { id } } }", {"n": 9}, 9),
    "defaults of variables": ("query($n: Int = 4) { items(first: $n) { nodes { id } } }", {}, 4),
    "variables without a value": ("query($n: Int) { items(first: $n) { nodes { id } } }", {}, 20),
    "no more than the limit": ("query($n: Int) { items(first: $n) { nodes { id } } }", {"n": 999}, 100),
    "no less than one": ("query($n: Int) { items(first: $n) { nodes { id } } }", {"n": -9}, 1),
    "fragments": (
        "{ items(first: 7) { nodes { ...F ...F } } } fragment F on Item { labels(first: 5) { nodes { id } } }", {},
        7 * (1 + 5 + 5),
    ),
    "nodes": ('{ nodes(ids: ["a", "b"]) { id ... on Item { labels(first: 5) { nodes { id } } } } }', {}, 2 * (1 + 5)),
    "nodes of a variable": ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 3}, 3),
    "nodes of a single value": ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "a"}, 1),
}  # fmt: skip


@pytest.mark.parametrize(("query", "variables", "rows"), WEIGHTS.values(), ids=WEIGHTS)
def test_rows_of_a_document(schema: GraphQLSchema, query: str, variables: dict[str, Any], rows: int) -> None:
    assert weighed(schema, query, variables) == rows


@pytest.mark.parametrize(("query", "variables", "rows"), WEIGHTS.values(), ids=WEIGHTS)
def test_rows_from_the_end_weigh_the_same(
    schema: GraphQLSchema, query: str, variables: dict[str, Any], rows: int
) -> None:
    assert weighed(schema, query.replace("first:", "last:"), variables) == rows


def test_greater_of_two_sizes_counts(schema: GraphQLSchema) -> None:
    """Both are refused, but not before they are weighed."""
    assert weighed(schema, "{ items(first: 2, last: 9) { nodes { id } } }") == 9
    assert weighed(schema, "{ items(first: 9, last: 2) { nodes { id } } }") == 9


def test_limit_itself_is_allowed(schema: GraphQLSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    document = parse("{ items(first: 7) { nodes { labels(first: 5) { nodes { id } } } } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    monkeypatch.setattr(costs, "MAX_ROWS", 42)
    Bound(schema, {}, document, operation, {}).check()
    monkeypatch.setattr(costs, "MAX_ROWS", 41)
    with pytest.raises(Problem) as caught:
        Bound(schema, {}, document, operation, {}).check()
    assert (caught.value.type.code, caught.value.type.status) == ("too_complex", 422)


def query_of(count: int) -> str:
    return " ".join(f"q{number}: me {{ id }}" for number in range(count))


def mutation_of(count: int) -> str:
    return " ".join(
        f'm{number}: createLabel(input: {{name: "l{number}"}}) {{ label {{ id }} }}' for number in range(count)
    )


TOPS = {
    "plain": ("{head} {{ {fields} }}", 1),
    "a fragment": ("{head} {{ ...F }} fragment F on {root} {{ {fields} }}", 1),
    "an inline fragment": ("{head} {{ ... on {root} {{ {fields} }} }}", 1),
    "a fragment spread twice": ("{head} {{ ...F ...F }} fragment F on {root} {{ {fields} }}", 2),
    "fragments in fragments": (
        "{head} {{ ...E }} fragment E on {root} {{ ...F }} fragment F on {root} {{ {fields} }}", 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("form", "times"), TOPS.values(), ids=TOPS)
@pytest.mark.parametrize(("head", "most", "fields"), [("query", 50, query_of), ("mutation", 20, mutation_of)])
async def test_fields_at_the_top_are_limited(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, form: str, times: int, head: str, most: int, fields: Any
) -> None:
    def document(count: int) -> str:
        return form.format(head=head, root=head.capitalize(), fields=fields(count))

    answer = await refused(graphql, gateway, ada, document(most // times + 1))
    assert (answer.problem, answer.status) == ("too_complex", 422)
    assert answer.members is not None
    assert answer.members["detail"] == f"There are at most {most} fields at the top of this operation."
    assert len(await graphql.data(document(most // times), actor=ada)) == most // times
