"""What documents cost: by their plans, or by a bound where they can't be planned."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from graphql import GraphQLSchema

from graphql_schema.documents.complexity import INTROSPECTION_WEIGHT, bound_of
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.compiled import CompiledOperations
from graphql_schema.schema.schema import build_schema
from services.catalogue import Actor
from services.engine.gateway import Gateway
from services.queries.limits import DEFAULTS
from services.reader.statement import MAX_PARTS


@pytest.fixture(scope="module")
def core(gateway: Gateway) -> GraphQLSchema:
    return build_schema(gateway.catalogue)._schema


Price = Callable[[str], int | None]


@pytest.fixture(scope="module")
def planned(gateway: Gateway, core: GraphQLSchema) -> Price:
    """The price of a document by its plan; None where there is none."""
    documents = DocumentCache(core, suggestions=False)
    compiled = CompiledOperations(core, gateway.catalogue, documents, size=10, sight=1)

    def price(text: str) -> int | None:
        operation, _ = compiled.find(text, None)
        assert operation is not None
        plan, variables = compiled.planned(operation, gateway, Actor(), {})
        return plan.judge(variables, DEFAULTS).points if plan is not None else None

    return price


@pytest.fixture(scope="module")
def bound(gateway: Gateway, core: GraphQLSchema) -> Price:
    """The bound of a document's price."""
    documents = DocumentCache(core, suggestions=False)

    def price(text: str) -> int | None:
        prepared = documents.prepare(text)
        assert prepared.document is not None
        return bound_of(core, gateway.catalogue, prepared.document, prepared.operation(None), {}, DEFAULTS).points

    return price


TWO = 'operations: [{delete: {id: "x"}}, {delete: {id: "y"}}]'
BATCH = f"mutation {{ batchItems(input: {{{TWO}}}) {{ %s }} }}"

PLANNED = [
    ("{ __typename }", 1),
    ('{ node(id: "x") { id ... on Item { creator { id } comments { nodes { id } } } } }', 1 + 1 + 20),
    ('{ nodes(ids: ["x", "y", "z"]) { id ... on Item { creator { id } } } }', 1 + 3 * (1 + 1)),
    ('{ nodes(ids: "x") { id } }', 1 + 1),
    ("mutation { logout { ok } }", 1),
    ('mutation { login(input: {username: "a", password: "b"}) { tokenPair { scope } } }', 50),
    (BATCH % "results { id item { creator { id } } }", 1 + 2 + 2 * (1 + 1)),
    ("{ items(first: 1000) { nodes { id } } }", 1 + 100),
    ("{ items(first: null) { nodes { id } } }", 1 + 20),
    ('{ items(first: 5, after: "x") { totalCount } }', 1 + 5 + 20),
    # One field, however often it is written.
    ("{ items { nodes { comments { nodes { id } } } } items { edges { node { comments { nodes { body } } } } } }",
     1 + 20 + 2 * 20 * 20 * 2),
    ("{ items { nodes { comments { nodes { id } } } } items { nodes { comments { nodes { body } } } } }",
     1 + 20 + 20 * 20 * 2),
    ("{ items @skip(if: true) { nodes { id } } me { id } }", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "points"), PLANNED)
def test_price_of_a_document_is_that_of_its_plan_and_its_bound_not_less(
    planned: Price, bound: Price, text: str, points: int
) -> None:
    assert planned(text) == points
    most = bound(text)
    assert most is not None
    assert most >= points


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("{ __schema { queryType { name } } again: __type(name: \"Item\") { name } }", 2 * INTROSPECTION_WEIGHT),
        ("{ __schema { queryType { name } } items(first: 9) { totalCount nodes { creator { id } } } }",
         INTROSPECTION_WEIGHT + 1 + 9 * 2 + 20),
        (BATCH % "__typename", 1 + 2),
        (BATCH % "results { item { creator { id } } again: item { id } }", 1 + 2 + 2 * (1 + 1)),
    ],
)  # fmt: skip
def test_what_is_not_planned_costs_its_bound(planned: Price, bound: Price, text: str, points: int) -> None:
    assert planned(text) is None
    assert bound(text) == points


def test_document_that_is_too_large_to_be_planned_has_a_bound(planned: Price, bound: Price) -> None:
    text = (
        f"{{ items(first: 2) {{ nodes {{ {' '.join(f'r{n}: creator {{ id }}' for n in range(MAX_PARTS + 1))} }} }} }}"
    )
    assert planned(text) is None
    assert bound(text) == 1 + 2 * (2 + MAX_PARTS)
