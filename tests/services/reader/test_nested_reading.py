"""Nested reading: the number of SQL statements does not depend on the number of rows, and both faces read the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from services.catalogue.naming import camel
from services.engine.gateway import Gateway
from services.sample.comments.models import Comment
from services.sample.items.models import ItemLabel
from tests.support.accounts import Account, sign_up
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import Row, insert_items, invite, key_of, make_label, make_workspace
from tests.support.statements import statements

NESTED = """query($first: Int!, $filter: ItemFilter!) { items(first: $first, filter: $filter) { totalCount nodes {
    id title status
    labels { totalCount nodes { id name color } }
    creator { username }
    assignee { username }
    comments(first: 2) { totalCount nodes { body author { username } } pageInfo { hasNextPage } }
    children { nodes { title creator { username } } }
    parent { title labels { nodes { name } } }
} } }"""
INCLUDE = "labels,creator,assignee,comments.author,children.creator,parent.labels"


@dataclass(frozen=True)
class Forest:
    """`TREES` items of priority 1, each below one parent (2), with a child (3), labels and comments."""

    owner: Account
    guest: Account


TREES = 100


@pytest.fixture(scope="module")
async def forest(client: httpx.AsyncClient, gateway: Gateway) -> Forest:
    """A hundred trees; the guest is assigned to all, and says something about each."""
    face = RestFace(client, gateway.catalogue)
    owner, guest = await sign_up(client), await sign_up(client)
    workspace = await make_workspace(face, owner)
    await invite(face, owner, guest, workspace["id"], "editor")
    labels = [await make_label(face, owner, name, workspace_id=workspace["id"]) for name in ("brass", "steel")]
    (root,) = await insert_items(gateway, owner, workspace, [{"title": "root", "priority": 2}])
    shared = {"parent_id": key_of(root), "priority": 1, "assignee_id": guest.key}
    middle = await insert_items(gateway, owner, workspace, [shared] * TREES)
    below = [{"parent_id": key_of(each), "priority": 3} for each in middle]
    await insert_items(gateway, owner, workspace, below)
    here = {"workspace_id": key_of(workspace["id"])}
    pairs = [
        {"item_id": key_of(item), "label_id": key_of(label["id"]), **here}
        for item in [root, *middle]
        for label in labels
    ]
    said = [
        {"item_id": key_of(item), "author_id": author.key, "body": f"Comment {number}", **here}
        for item in middle
        for number, author in enumerate([owner, guest, guest])
    ]
    async with gateway.database.unit_of_work() as session:
        await session.execute(insert(ItemLabel), pairs)
        await session.execute(insert(Comment), said)
        await session.commit()
    return Forest(owner, guest)


async def _by_graphql(graphql: GraphQLFace, forest: Forest, first: int) -> list[Row]:
    variables = {"first": first, "filter": {"priority": {"eq": 1}}}
    found = (await graphql.data(NESTED, variables, forest.owner))["items"]
    assert found["totalCount"] == TREES
    nodes: list[Row] = found["nodes"]
    return nodes


async def _by_rest(rest: RestFace, forest: Forest, limit: int) -> list[Row]:
    params = {"include": INCLUDE, "priority": "1", "limit": str(limit), "count": "true"}
    rows: list[Row] = (await rest.get("/items", forest.owner, **params))["data"]
    return rows


async def test_graphql_sends_as_many_statements_for_100_parents_as_for_one(
    graphql: GraphQLFace, gateway: Gateway, forest: Forest
) -> None:
    counts = {}
    for size in (1, 10, 100):
        with statements(gateway) as sent:
            nodes = await _by_graphql(graphql, forest, size)
        assert len(nodes) == size
        counts[size] = len(sent)
    assert counts[1] == counts[10] == counts[100]
    assert counts[1] <= (16 if gateway.reader is None else 1)


async def test_rest_sends_as_many_statements_for_100_parents_as_for_one(
    rest: RestFace, gateway: Gateway, forest: Forest
) -> None:
    counts = {}
    for size in (1, 10, 100):
        with statements(gateway) as sent:
            rows = await _by_rest(rest, forest, size)
        assert len(rows) == size
        counts[size] = len(sent)
    assert counts[1] == counts[10] == counts[100]
    assert counts[1] <= (12 if gateway.reader is None else 1)


async def test_nested_lists_are_paged_for_each_parent(graphql: GraphQLFace, forest: Forest) -> None:
    for node in await _by_graphql(graphql, forest, 10):
        assert node["comments"]["totalCount"] == 3
        assert node["comments"]["pageInfo"] == {"hasNextPage": True}
        assert [each["author"]["username"] for each in node["comments"]["nodes"]] == [forest.guest.username] * 2
        assert {each["name"] for each in node["labels"]["nodes"]} == {"brass", "steel"}
        assert [each["creator"]["username"] for each in node["children"]["nodes"]] == [forest.owner.username]
        assert node["parent"]["title"] == "root"


async def test_nested_page_goes_on_where_it_ended(graphql: GraphQLFace, forest: Forest) -> None:
    item = (await _by_graphql(graphql, forest, 1))[0]["id"]
    query = """query($id: ID!, $after: String) { item(id: $id) {
        comments(first: 2, after: $after) { nodes { body } pageInfo { endCursor hasNextPage hasPreviousPage } } } }"""
    first = (await graphql.data(query, {"id": item}, forest.owner))["item"]["comments"]
    after = first["pageInfo"]["endCursor"]
    second = (await graphql.data(query, {"id": item, "after": after}, forest.owner))["item"]["comments"]
    assert [each["body"] for each in first["nodes"] + second["nodes"]] == ["Comment 2", "Comment 1", "Comment 0"]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_bad_argument_of_a_nested_list_is_named(graphql: GraphQLFace, forest: Forest) -> None:
    query = "{ items(first: 1) { nodes { comments(first: 0) { totalCount } } } }"
    body = await graphql.run(query, actor=forest.owner)
    (error,) = body["errors"]
    assert error["path"] == ["items", "nodes", 0, "comments"]
    assert [(each["field"], each["code"]) for each in error["extensions"]["errors"]] == [("first", "range")]
    assert body["data"] == {"items": {"nodes": [{"comments": None}]}}


def _as_rest(value: Any, key: str = "") -> Any:
    """GraphQL's answer as REST's: `nodes` as `data`, names in snake_case, enums in lower case."""
    if isinstance(value, dict) and "nodes" in value:
        return [_as_rest(each) for each in value["nodes"]]
    if isinstance(value, dict):
        return {name: _as_rest(each, name) for name, each in value.items()}
    return value.lower() if key == "status" else value


def _plain(value: Any) -> Any:
    """REST's answer with lists without their page, and names as GraphQL has them."""
    if isinstance(value, dict) and set(value) == {"data", "page"}:
        return [_plain(each) for each in value["data"]]
    return {camel(name): _plain(each) for name, each in value.items()} if isinstance(value, dict) else value


async def test_include_and_selection_have_equal_content(rest: RestFace, graphql: GraphQLFace, forest: Forest) -> None:
    query = """{ items(first: 3, filter: {priority: {eq: 1}}) { nodes { id title status dueAt
        labels { nodes { name } } creator { id email } assignee { id email }
        comments { nodes { body author { username } } }
        children { nodes { title creator { username } } } parent { title labels { nodes { name } } } } } }"""
    fields = (
        "id,title,status,due_at,labels.name,creator.id,creator.email,assignee.id,assignee.email,comments.body,"
        "comments.author.username,children.title,children.creator.username,parent.title,parent.labels.name"
    )
    by_graphql = (await graphql.data(query, actor=forest.owner))["items"]
    params = {"priority": "1", "limit": "3", "include": INCLUDE, "fields": fields}
    by_rest = await rest.get("/items", forest.owner, **params)
    assert _plain(by_rest["data"][0]) == _as_rest(by_graphql)[0]
    assert [_plain(row) for row in by_rest["data"]] == _as_rest(by_graphql)
    assert by_rest["data"][0]["assignee"]["email"] is None
