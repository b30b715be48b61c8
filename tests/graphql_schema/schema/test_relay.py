"""Relay's two specifications, asked as its clients ask: Object Identification and Cursor Connections.

The documents are what Relay's compiler (21.0.1) and Apollo Client (4.3.8) send for fragments and queries that bear
`@connection`. Both take the directive out, for it is about their own store; the schema must not declare it, since
Relay's compiler declares its own and refuses a second.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, get_named_type, is_list_type

from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.faces import GraphQLFace
from tests.support.factories import make_comment, make_item, unknown_id
from tests.support.lists import ids

LISTED: Final = """query ListQuery {
  ...List_items
}

fragment List_items on Query {
  items(first: 2) {
    edges {
      node {
        id
        title
        __typename
      }
      cursor
    }
    pageInfo {
      endCursor
      hasNextPage
    }
  }
}
"""
"""Of `items(first: $count, after: $cursor) @connection(key: "List_items", filters: [])`."""

BOTH_WAYS: Final = """query ListBothPaginationQuery(
  $b: String
  $count: Int
  $cursor: String
  $n: Int
  $id: ID!
) {
  node(id: $id) {
    __typename
    ...List_both_4rpVxK
    id
  }
}

fragment List_both_4rpVxK on Item {
  comments(first: $count, after: $cursor, last: $n, before: $b) {
    edges {
      node {
        id
        body
        __typename
      }
      cursor
    }
    pageInfo {
      endCursor
      hasNextPage
      hasPreviousPage
      startCursor
    }
  }
  id
}
"""
"""Of a `@refetchable` fragment on Item with `comments(…) @connection(key: "List_both_comments")`."""

APOLLO: Final = """query Q($c: String) {
  items(last: 5, before: $c) {
    edges {
      cursor
      node {
        id
        __typename
      }
      __typename
    }
    pageInfo {
      hasPreviousPage
      startCursor
      __typename
    }
    __typename
  }
}"""
"""Of `items(last: 5, before: $c) @connection(key: "items", filter: ["filter"])`."""


@pytest.fixture(scope="module")
def schema(gateway: Gateway) -> GraphQLSchema:
    return build_schema(gateway.catalogue)._schema


async def test_relay_pages_a_list_of_the_root(graphql: GraphQLFace, ada: Account) -> None:
    made = [await make_item(graphql, ada, f"Wheel {number}") for number in range(3)]
    found = (await graphql.data(LISTED, actor=ada))["items"]
    assert [each["node"] for each in found["edges"]] == [
        {"id": row["id"], "title": row["title"], "__typename": "Item"} for row in (made[2], made[1])
    ]
    assert found["pageInfo"] == {"endCursor": found["edges"][-1]["cursor"], "hasNextPage": True}


async def test_relay_pages_a_relation_both_ways(graphql: GraphQLFace, ada: Account) -> None:
    """From the middle, `loadNext` and `loadPrevious`: what belongs to the other direction is null."""
    item = await make_item(graphql, ada)
    made = [await make_comment(graphql, ada, item, f"Comment {number}") for number in range(5)][::-1]

    async def page(**given: Any) -> Any:
        variables = {"b": None, "count": None, "cursor": None, "n": None, **given, "id": item["id"]}
        found = await graphql.data(BOTH_WAYS, variables, ada)
        assert found["node"]["__typename"] == "Item"
        return found["node"]["comments"]

    def nodes(of: Any) -> list[dict[str, Any]]:
        return [each["node"] for each in of["edges"]]

    start = await page(count=2)
    middle = await page(count=1, cursor=start["pageInfo"]["endCursor"])
    following = await page(count=5, cursor=middle["pageInfo"]["endCursor"])
    previous = await page(n=5, b=middle["pageInfo"]["startCursor"])
    assert [ids(nodes(each)) for each in (middle, following, previous)] == [
        ids(made)[2:3], ids(made)[3:], ids(made)[:2],
    ]  # fmt: skip
    assert previous["edges"] == start["edges"]
    assert (following["pageInfo"]["hasNextPage"], following["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert (previous["pageInfo"]["hasNextPage"], previous["pageInfo"]["hasPreviousPage"]) == (True, False)


async def test_apollo_client_pages_backwards(graphql: GraphQLFace, ada: Account) -> None:
    made = [await make_item(graphql, ada, f"Wheel {number}") for number in range(6)][::-1]
    last = (await graphql.data(APOLLO, {"c": None}, ada))["items"]
    assert [each["node"]["id"] for each in last["edges"]] == ids(made)[1:]
    about = last["pageInfo"]
    assert about == {"hasPreviousPage": True, "startCursor": last["edges"][0]["cursor"], "__typename": "PageInfo"}
    first = (await graphql.data(APOLLO, {"c": about["startCursor"]}, ada))["items"]
    assert [each["node"]["id"] for each in first["edges"]] == ids(made)[:1]


async def test_connection_directive_is_left_to_the_clients(graphql: GraphQLFace, schema: GraphQLSchema) -> None:
    assert schema.get_directive("connection") is None
    body = await graphql.run('{ items(first: 1) @connection(key: "items") { totalCount } }')
    assert [each["message"] for each in body["errors"]] == ["Unknown directive '@connection'."]


async def test_object_identification_is_found_by_introspection(graphql: GraphQLFace) -> None:
    """What the specification's own introspection query has to find."""
    found = await graphql.data(
        '{ __type(name: "Node") { name kind fields { name type { kind ofType { name kind } } } }'
        " __schema { queryType { fields {"
        " name type { name kind } args { name type { kind ofType { name kind } } } } } } }"
    )
    identifier = {"kind": "NON_NULL", "ofType": {"name": "ID", "kind": "SCALAR"}}
    assert found["__type"] == {"name": "Node", "kind": "INTERFACE", "fields": [{"name": "id", "type": identifier}]}
    node = next(each for each in found["__schema"]["queryType"]["fields"] if each["name"] == "node")
    assert node["type"] == {"name": "Node", "kind": "INTERFACE"}
    assert node["args"] == [{"name": "id", "type": identifier}]


async def test_identifiers_of_what_is_listed_find_the_same(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada)
    comment = await make_comment(graphql, ada, item)
    wanted = [comment["id"], unknown_id("itm"), item["id"], comment["id"]]
    query = "query($id: ID!, $ids: [ID!]!) { node(id: $id) { __typename id } nodes(ids: $ids) { __typename id } }"
    found = await graphql.data(query, {"id": item["id"], "ids": wanted}, ada)
    one, other = {"__typename": "Item", "id": item["id"]}, {"__typename": "Comment", "id": comment["id"]}
    assert found == {"node": one, "nodes": [other, None, one, other]}


def test_every_connection_is_one_to_the_letter(schema: GraphQLSchema) -> None:
    connections = [each for name, each in schema.type_map.items() if name.endswith("Connection")]
    assert len(connections) >= 9
    for each in connections:
        assert isinstance(each, GraphQLObjectType)
        edges = each.fields["edges"].type
        assert is_list_type(edges.of_type if isinstance(edges, GraphQLNonNull) else edges)
        assert str(each.fields["pageInfo"].type) == "PageInfo!"
        edge: Any = get_named_type(edges)
        assert edge.name == each.name.replace("Connection", "Edge")
        assert str(edge.fields["cursor"].type) == "String!"
        assert [str(interface) for interface in get_named_type(edge.fields["node"].type).interfaces] == ["Node"]
    about: Any = schema.type_map["PageInfo"]
    assert {name: str(member.type) for name, member in about.fields.items()} == {
        "hasNextPage": "Boolean!", "hasPreviousPage": "Boolean!", "startCursor": "String", "endCursor": "String",
    }  # fmt: skip


def test_every_field_that_gives_a_connection_pages_both_ways(schema: GraphQLSchema) -> None:
    found = 0
    for kind in schema.type_map.values():
        for member in kind.fields.values() if isinstance(kind, GraphQLObjectType) else ():
            if get_named_type(member.type).name.endswith("Connection"):
                found += 1
                paging = {name: str(each.type) for name, each in member.args.items()}
                assert {"first": "Int", "after": "String", "last": "Int", "before": "String"}.items() <= paging.items()
    assert found >= 20
