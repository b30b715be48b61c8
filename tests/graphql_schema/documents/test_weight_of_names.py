"""A resource whose name ends like a part of a connection is weighed like any other."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, build_schema, parse

from graphql_schema.documents.complexity import Bound
from services.catalogue import Problem

SCHEMA = build_schema("""
    interface Node { id: ID! }
    type Edge implements Node { id: ID! edges(first: Int): EdgeConnection connection: Connection }
    type EdgeConnection { nodes: [Edge!]! edges: [EdgeEdge!]! }
    type EdgeEdge { node: Edge! }
    type Connection implements Node { id: ID! edge: Edge }
    type Query { edges(first: Int): EdgeConnection connection: Connection }
""")


def weigh(text: str) -> None:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    Bound(SCHEMA, {}, document, operation, {}).check()


def test_lists_below_a_resource_named_edge_multiply() -> None:
    weigh("{ edges(first: 100) { nodes { edges(first: 100) { nodes { id } } } } }")  # 10,100 rows
    with pytest.raises(Problem) as refused:
        weigh("{ edges(first: 100) { nodes { edges(first: 100) { nodes { connection { id } edge: id } } } "
              "edges { node { edges(first: 100) { edges { node { id } } } } } } }")  # fmt: skip
    assert refused.value.type.code == "too_complex"


def test_resource_named_connection_is_one_row() -> None:
    weigh("{ edges(first: 100) { nodes { edges(first: 99) { nodes { connection { id } } } } } }")  # 19,900 rows
