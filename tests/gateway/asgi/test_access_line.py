"""The access line: what was called and by whom, each once, whichever way it was called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import AsyncClient
from structlog.testing import capture_logs

from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Row, make_comment, make_item, make_label


@contextmanager
def access() -> Iterator[list[tuple[list[str], str]]]:
    """Operations, sorted, and actor of each request of the block."""
    lines: list[tuple[list[str], str]] = []
    with capture_logs() as logs:
        yield lines
    requests = [each for each in logs if each["event"] == "request"]
    lines += [(sorted(each["operation"].split(",")) if each["operation"] else [], each["actor"]) for each in requests]


@pytest.fixture
async def item(rest: RestFace, ada: Account) -> Row:
    """An item with a label and a comment."""
    label = await make_label(rest, ada)
    made = await make_item(rest, ada, label_ids=[label["id"]])
    await make_comment(rest, ada, made)
    return made


async def test_list_of_a_relation_is_named(rest: RestFace, ada: Account, item: Row) -> None:
    with access() as lines:
        for name in ("labels", "comments"):
            await rest.get(f"/items/{item['id']}/{name}", ada)
        await rest.get(f"/users/{ada.id}/created-items", ada)
    assert lines == [(["list_item_labels"], ada.id), (["list_item_comments"], ada.id),
                     (["list_user_created_items"], ada.id)]  # fmt: skip


async def test_refused_list_of_a_relation_is_named(rest: RestFace, eve: Account, item: Row) -> None:
    with access() as lines:
        assert (await rest.send("GET", f"/items/{item['id']}/labels", eve)).status_code == 404
        assert (await rest.send("GET", f"/items/{item['id']}/labels")).status_code == 401
        assert (await rest.send("GET", f"/items/{item['id']}/labels?nope=1", eve)).status_code == 422
    named = ["list_item_labels"]
    assert lines == [(named, eve.id), (named, "anonymous"), (named, eve.id)]


QUERIES: dict[str, tuple[str, list[str]]] = {
    "node": ('{ node(id: "@") { id } }', ["node"]),
    "nodes": ('{ nodes(ids: ["@", "@", "@"]) { id } }', ["node"]),
    "an empty list of nodes": ("{ nodes(ids: []) { id } }", ["node"]),
    "node and nodes": ('{ node(id: "@") { id } nodes(ids: ["@"]) { id } }', ["node"]),
    "a row": ('{ item(id: "@") { id labels { nodes { id } } } }', ["get_item"]),
    "a row twice": ('{ a: item(id: "@") { id } b: item(id: "@") { id } }', ["get_item"]),
    "rows and lists by turns": (
        '{ a: item(id: "@") { id } b: items { totalCount } c: item(id: "@") { id } d: items { totalCount } }',
        ["get_item", "list_items"],
    ),
    "a list and its size": ("{ items { totalCount nodes { id } } }", ["list_items"]),
    "in a fragment": ('{ ...F } fragment F on Query { item(id: "@") { id } me { id } }', ["get_item", "me"]),
    "a mutation twice": (
        'mutation { a: archiveItem(input: {id: "@"}) { item { id } } b: archiveItem(input: {id: "@"}) { __typename } }',
        ["archive_item"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "operations"), QUERIES.values(), ids=QUERIES)
async def test_fields_of_a_document_are_named_once(
    graphql: GraphQLFace, ada: Account, item: Row, query: str, operations: list[str]
) -> None:
    with access() as lines:
        await graphql.data(query.replace("@", item["id"]), None, ada)
    assert lines == [(operations, ada.id)]


async def test_sign_in_is_by_who_signed_in(face: Face, ada: Account) -> None:
    with access() as lines:
        tokens = await face.ok("login", None, {"username": ada.username, "password": ada.password})
        await face.call("login", None, {"username": ada.username, "password": "wrong horse"})
        await face.ok("refresh_token", None, {"refresh_token": tokens["refresh_token"]})
    assert lines[:2] == [(["login"], ada.id), (["login"], "anonymous")]
    assert lines[2][0] == ["refresh_token"]


async def test_registration_is_by_who_registered(face: Face, client: AsyncClient, ada: Account) -> None:
    name = f"new-{ada.username}"
    with access() as lines:
        made = await face.ok(
            "create_user", None, {"email": f"{name}@example.com", "username": name, "password": "correct horse"}
        )
    assert lines == [(["create_user"], made["id"])]


REFUSED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "read": ("get_item", None),
    "write": ("update_item", {"title": "Never"}),
    "wrong input": ("update_item", {"title": ""}),
}


@pytest.mark.parametrize(("operation", "data"), REFUSED.values(), ids=REFUSED)
async def test_refused_call_is_named(
    face: Face, eve: Account, item: Row, operation: str, data: dict[str, Any] | None
) -> None:
    with access() as lines:
        assert (await face.call(operation, eve, data, id=item["id"])).problem is not None
        assert (await face.call(operation, None, data, id=item["id"])).problem == "unauthenticated"
    assert lines == [([operation], eve.id), ([operation], "anonymous")]


async def test_logout_needs_no_scope_and_the_rest_does(face: Face, client: AsyncClient) -> None:
    narrow = await sign_up(client, scope="items:read")
    change = {"current_password": narrow.password, "new_password": "a horse of another colour"}
    for operation, data, scope in (
        ("logout_all", {}, "sessions:write"),
        ("change_password", change, "users:write"),
        ("list_sessions", None, "sessions:read"),
    ):
        answer = await face.call(operation, narrow, data)
        assert (answer.problem, answer.status) == ("insufficient_scope", 403)
        assert answer.members is not None
        assert answer.members["scope"] == scope
    assert (await face.ok("list_items", narrow))["data"] == []
    await face.ok("logout", narrow)
    assert (await face.call("list_items", narrow)).problem == "invalid_token"
    await face.ok("login", None, {"username": narrow.username, "password": narrow.password})
