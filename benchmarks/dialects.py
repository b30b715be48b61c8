"""How each server is asked for the cases: its GraphQL, its routes, its identifiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from benchmarks.cases import CREATED, REQUESTS, Sample

_ONE: Final = "query ($id: ID!) { item(id: $id) { id title status } }"
_FIELDS: Final = "title status priority createdAt updatedAt"


def _input(sample: Sample, title: str) -> dict[str, Any]:
    return {"workspaceId": str(sample.workspace), "title": title}


def _body(sample: Sample, title: str) -> dict[str, Any]:
    return {"workspace_id": str(sample.workspace), "title": title}


@dataclass(frozen=True)
class Dialect:
    """One server's way of being asked. Documents and paths are by case; what is not there it does not offer."""

    documents: dict[str, str]
    paths: dict[str, str]
    page: str
    """A document for the first `%d` items, with these fields of each."""
    children: str
    """The field with the first 5 items below an item, with these fields of each."""
    fields: str = f"id {_FIELDS}"
    item_id: Callable[[UUID], str] = str
    create_input: Callable[[Sample, str], dict[str, Any]] = _input
    create_body: Callable[[Sample, str], dict[str, Any]] = _body

    def page_of(self, size: int) -> str:
        """The list of that many items with the same fields as in the case `list`."""
        return self.page % (size, self.fields)

    def tree_of(self, depth: int) -> str:
        """20 items, with so many levels less one of items below them."""
        inner = "title"
        for _ in range(depth - 1):
            inner = f"title {self.children % inner}"
        return self.page % (20, inner)

    @property
    def cases(self) -> set[str]:
        """The cases that this server can be asked for."""
        return self.documents.keys() | self.paths.keys()

    def requests(self, case: str, sample: Sample, headers: dict[str, str]) -> list[bytes]:
        """All requests of a case, as they go over the wire."""
        return list(self._requests(case, sample, headers))

    def _requests(self, case: str, sample: Sample, headers: dict[str, str]) -> Iterable[bytes]:
        titles = [f"{CREATED}{number}" for number in range(REQUESTS)]
        if case == "create":
            for title in titles:
                variables = {"input": self.create_input(sample, title)}
                yield graphql(self.documents[case], headers, variables)
        elif case == "rest_create":
            for title in titles:
                yield request("POST", self.paths[case], headers, self.create_body(sample, title))
        elif case == "single":
            for key in sample.items:
                yield graphql(self.documents[case], headers, {"id": self.item_id(key)})
        elif case in self.documents:
            yield graphql(self.documents[case], headers)
        elif case == "rest_list":
            yield request("GET", self.paths[case], headers)
        else:
            for key in sample.items:
                yield request("GET", self.paths[case].format(id=self.item_id(key)), headers)


def graphql(document: str, headers: dict[str, str], variables: dict[str, Any] | None = None) -> bytes:
    """A GraphQL request."""
    body = {"query": document} if variables is None else {"query": document, "variables": variables}
    return request("POST", "/graphql", headers, body)


def request(method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> bytes:
    """An HTTP request (RFC 9112)."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _with_creator(sample: Sample, title: str) -> dict[str, Any]:
    return _input(sample, title) | {"creatorId": str(sample.actor)}


GATEWAY: Final = Dialect(
    documents={
        "single": _ONE,
        "list": f"{{ items(first: 50) {{ nodes {{ id {_FIELDS} }} }} }}",
        "nested": "{ items(first: 50) { nodes { id title creator { username } labels { nodes { name color } }"
        " comments(first: 5) { nodes { body author { username } } } } } }",
        "deep": "{ items(first: 10) { nodes { id title workspace { name } parent { title creator { username } }"
        " children(first: 5) { nodes { id title assignee { username } labels { nodes { name } }"
        " comments(first: 5) { nodes { body author { username } } } } } } } }",
        "create": "mutation ($input: CreateItemInput!) { createItem(input: $input) { item { id title status } } }",
    },
    paths={
        "rest_get": "/api/v1/items/{id}",
        "rest_list": "/api/v1/items?limit=50",
        "rest_include": "/api/v1/items/{id}?include=labels,comments.author",
        "rest_create": "/api/v1/items",
    },
    page="{ items(first: %d) { nodes { %s } } }",
    children="children(first: 5) { nodes { %s } }",
    item_id=lambda key: f"itm_{key.hex}",
    create_input=lambda sample, title: {"workspaceId": f"wsp_{sample.workspace.hex}", "title": title},
    create_body=lambda sample, title: {"workspace_id": f"wsp_{sample.workspace.hex}", "title": title},
)

_BARE_LISTS: Final = {
    "list": f"{{ items(first: 50) {{ nodes {{ id {_FIELDS} }} }} }}",
    "nested": "{ items(first: 50) { nodes { id title creator { username } labels { name color }"
    " comments(first: 5) { body author { username } } } } }",
    "deep": "{ items(first: 10) { nodes { id title workspace { name } parent { title creator { username } }"
    " children(first: 5) { id title assignee { username } labels { name }"
    " comments(first: 5) { body author { username } } } } } }",
    "create": "mutation ($input: CreateItemInput!) { createItem(input: $input) { id title status } }",
}

FASTAPI_STRAWBERRY: Final = Dialect(
    documents={"single": _ONE.replace("ID!", "UUID!"), **_BARE_LISTS}, paths=GATEWAY.paths, page=GATEWAY.page,
    children="children(first: 5) { %s }",
)  # fmt: skip

MERCURIUS: Final = Dialect(
    documents={"single": _ONE, **_BARE_LISTS},
    paths={**GATEWAY.paths, "rest_include": "/api/v1/items/{id}/full"},
    page=GATEWAY.page,
    children=FASTAPI_STRAWBERRY.children,
    create_input=_with_creator,
    create_body=lambda sample, title: _body(sample, title) | {"creator_id": str(sample.actor)},
)

_NEWEST: Final = "orderBy: PRIMARY_KEY_DESC"

POSTGRAPHILE: Final = Dialect(
    documents={
        "single": "query ($id: UUID!) { itemByRowId(rowId: $id) { rowId title status } }",
        "list": f"{{ allItems(first: 50, {_NEWEST}) {{ nodes {{ rowId {_FIELDS} }} }} }}",
        "nested": f"{{ allItems(first: 50, {_NEWEST}) {{ nodes {{ rowId title creator {{ username }}"
        f" labels(first: 20) {{ nodes {{ label {{ name color }} }} }}"
        f" comments(first: 5, {_NEWEST}) {{ nodes {{ body author {{ username }} }} }} }} }} }}",
        "deep": f"{{ allItems(first: 10, {_NEWEST}) {{ nodes {{ rowId title workspace {{ name }}"
        f" parent {{ title creator {{ username }} }} children(first: 5, {_NEWEST}) {{ nodes {{ rowId title"
        f" assignee {{ username }} labels(first: 20) {{ nodes {{ label {{ name }} }} }}"
        f" comments(first: 5, {_NEWEST}) {{ nodes {{ body author {{ username }} }} }} }} }} }} }} }}",
        "create": "mutation ($input: CreateItemInput!) { createItem(input: $input) { item { rowId title status } } }",
    },
    paths={},
    page=f"{{ allItems(first: %d, {_NEWEST}) {{ nodes {{ %s }} }} }}",
    children=f"children(first: 5, {_NEWEST}) {{ nodes {{ %s }} }}",
    fields=f"rowId {_FIELDS}",
    create_input=lambda sample, title: {"item": _with_creator(sample, title)},
)

_COLUMNS: Final = (
    "id,workspace_id,title,description,status,priority,due_at,creator_id,assignee_id,parent_id,version,"
    "created_at,updated_at"
)
_INCLUDED: Final = ",".join([
    _COLUMNS,
    *(f"labels.label_id.{name}" for name in ("id", "workspace_id", "name", "color", "created_at", "updated_at")),
    *(f"comments.{name}" for name in ("id", "item_id", "body", "created_at", "updated_at")),
    *(f"comments.author_id.{name}" for name in ("id", "username", "full_name", "created_at", "updated_at")),
])  # fmt: skip

DIRECTUS: Final = Dialect(
    documents={
        "single": "query ($id: ID!) { items_by_id(id: $id) { id title status } }",
        "list": '{ items(limit: 50, sort: ["-id"]) { id title status priority created_at updated_at } }',
        "nested": '{ items(limit: 50, sort: ["-id"]) { id title creator_id { username }'
        ' labels { label_id { name color } } comments(limit: 5, sort: ["-id"]) { body author_id { username } } } }',
        "deep": '{ items(limit: 10, sort: ["-id"]) { id title workspace_id { name }'
        ' parent_id { title creator_id { username } } children(limit: 5, sort: ["-id"]) { id title'
        " assignee_id { username } labels { label_id { name } }"
        ' comments(limit: 5, sort: ["-id"]) { body author_id { username } } } } }',
    },
    paths={
        "rest_get": "/items/items/{id}?fields=" + _COLUMNS,
        "rest_list": "/items/items?limit=50&sort=-id&fields=" + _COLUMNS,
        "rest_include": "/items/items/{id}?fields=" + _INCLUDED,
        "rest_create": "/items/items?fields=" + _COLUMNS,
    },
    page='{ items(limit: %d, sort: ["-id"]) { %s } }',
    children='children(limit: 5, sort: ["-id"]) { %s }',
    fields="id title status priority created_at updated_at",
    create_body=lambda sample, title: _body(sample, title) | {"creator_id": str(sample.actor)},
)
