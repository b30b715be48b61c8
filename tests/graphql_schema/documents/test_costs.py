"""What documents cost that are not read by plans."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, parse

from graphql_schema.documents.complexity import document_rows
from graphql_schema.documents.costs import DEEP, INTROSPECTION_WEIGHT, MAX_VISITED, Prices
from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway


@pytest.fixture(scope="module")
def core(gateway: Gateway) -> GraphQLSchema:
    return build_schema(gateway.catalogue)._schema


@pytest.fixture(scope="module")
def prices(gateway: Gateway, core: GraphQLSchema) -> Prices:
    return Prices(core, gateway.catalogue)


TWO = 'operations: [{delete: {id: "x"}}, {delete: {id: "y"}}]'


def price(prices: Prices, text: str) -> int:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return prices.price(document, operation, {}).cost


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("{ __typename }", 1),
        ("{ __schema { queryType { name } } again: __type(name: \"Item\") { name } }", 2 * INTROSPECTION_WEIGHT),
        ('{ node(id: "x") { id ... on Item { creator { id } comments { nodes { id } } } } }', 1 + 1 + 20),
        ('{ nodes(ids: ["x", "y", "z"]) { id ... on Item { creator { id } } } }', 1 + 3 * (1 + 1)),
        ('{ nodes(ids: "x") { id } }', 1 + 1),
        ("mutation { logout { ok } }", 1),
        ('mutation { login(input: {username: "a", password: "b"}) { tokenPair { scope } } }', 50),
        (f"mutation {{ batchItems(input: {{{TWO}}}) {{ results {{ id item {{ creator {{ id }} }} }} }} }}",
         1 + 2 + 2 * (1 + 1)),
        (f"mutation($i: BatchItemsInput = {{{TWO}}}) {{ batchItems(input: $i) {{ __typename }} }}", 1 + 2),
        ("{ items(first: 1000) { nodes { id } } }", 1 + 100),
        ("{ items(first: null) { nodes { id } } }", 1 + 20),
        # One field, however often it is written.
        ("{ items { nodes { comments { nodes { id } } } } items { edges { node { comments { nodes { body } } } } } }",
         1 + 20 + 2 * 20 * 20 * 2),
        ("{ items { nodes { comments { nodes { id } } } } items { nodes { comments { nodes { body } } } } }",
         1 + 20 + 20 * 20 * 2),
        ("{ items @skip(if: true) { nodes { id } } me { id } }", 1),
    ],
)  # fmt: skip
def test_price_of_a_document(prices: Prices, text: str, points: int) -> None:
    assert price(prices, text) == points


def test_document_that_takes_long_to_look_at_is_priced_by_the_row(prices: Prices, core: GraphQLSchema) -> None:
    chain = [
        f"fragment F{n} on Item {{ a{n}: workspace {{ items(first: 1) {{ nodes {{ ...F{n + 1} }} }} }} "
        f"b{n}: workspace {{ items(first: 1) {{ nodes {{ ...F{n + 1} }} }} }} }}"
        for n in range(20)
    ]
    last = "fragment F20 on Item { " + "... @skip(if: true) { id } " * 50 + "id }"
    text = " ".join(["{ items(first: 1) { nodes { ...F0 } } }", *chain, last])
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    rows = document_rows(core, document, operation, {})
    assert rows > MAX_VISITED
    assert price(prices, text) == DEEP * rows + 1
