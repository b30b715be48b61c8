"""One way to call an operation through either face, so that shared behaviour is tested by one text.

Data goes in and comes out in REST's habit (snake_case, lower-case enums, lists as `{"data": […], "page": {…}}`); the
GraphQL face translates. An answer that is a Problem comes back as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import orjson

from graphql_schema.naming import field_name
from rest.routes import METHODS
from services.catalogue import Catalogue, Kind, Operation, Resource
from services.catalogue.models import fields_of
from services.catalogue.naming import camel, pascal, snake
from tests.support.accounts import Account


@dataclass(frozen=True)
class Answer:
    """What came back: data, or a Problem's code, status and errors (as `{field: code}`), in `size` bytes."""

    data: Any = None
    problem: str | None = None
    status: int = 200
    errors: Mapping[str, str] | None = None
    members: Mapping[str, Any] | None = None
    size: int = 0

    @classmethod
    def of_problem(cls, members: Mapping[str, Any], size: int) -> Answer:
        """The answer of a problem's members, in whichever face's habit."""
        errors = {snake_path(each["field"]): each["code"] for each in members.get("errors", ())}
        return cls(None, members["code"], members["status"], errors, members, size)


@dataclass(frozen=True)
class Face:
    """Either face."""

    client: httpx.AsyncClient
    catalogue: Catalogue
    name: ClassVar[str]
    arguments: ClassVar[Mapping[str, str]] = {}
    """What the face calls the arguments of lists, where it has names of its own."""

    async def call(
        self, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *, id: str | None = None,
        **arguments: Any,
    ) -> Answer:  # fmt: skip
        """Call an operation by its name. `arguments` are those of a list: limit, after, filter, sort, q."""
        raise NotImplementedError

    async def ok(
        self, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *, id: str | None = None,
        **arguments: Any,
    ) -> Any:  # fmt: skip
        """As `call`, for an answer that must not be a Problem; returns its data."""
        answer = await self.call(name, actor, data, id=id, **arguments)
        assert answer.problem is None, answer.members
        return answer.data

    def operation(self, name: str) -> Operation:
        return self.catalogue.operations[name]


class RestFace(Face):
    """Through /api/v1."""

    name = "rest"

    async def call(
        self, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *, id: str | None = None,
        **arguments: Any,
    ) -> Answer:  # fmt: skip
        operation = self.operation(name)
        query = {key: _query_value(key, value) for key, value in arguments.items() if value not in (None, [])}
        path = "/" + operation.address.replace("{id}", id or "")
        content = None if data is None else orjson.dumps(data)
        answer = await self.send(METHODS[operation.kind], path, actor, params=query, content=content)
        return self.read(answer)

    async def send(
        self, method: str, path: str, actor: Account | None = None, *, params: Mapping[str, str] | None = None,
        content: bytes | None = None, media_type: str = "application/json",
    ) -> httpx.Response:  # fmt: skip
        """One request; `path` is below /api/v1, and may have a query string of its own."""
        headers = {**(actor.headers if actor else {}), "Content-Type": media_type}
        url = httpx.URL(f"/api/v1{path}")
        return await self.client.request(
            method, url.copy_merge_params(params) if params else url, content=content, headers=headers
        )

    async def get(self, path: str, actor: Account | None = None, **params: str) -> Any:
        """The body of a GET that must succeed."""
        answer = await self.send("GET", path, actor, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @staticmethod
    def read(answer: httpx.Response) -> Answer:
        """What a response says; a failure must be a Problem."""
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.json()["status"] == answer.status_code
            return Answer.of_problem(answer.json(), len(answer.content))
        return Answer(answer.json() if answer.content else None, status=answer.status_code, size=len(answer.content))


def _query_value(key: str, value: Any) -> str:
    if key == "filter":
        return orjson.dumps(value).decode()
    if key == "sort":
        return ",".join(value)
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


class GraphQLFace(Face):
    """Through /graphql."""

    name = "graphql"
    arguments: ClassVar[Mapping[str, str]] = {"limit": "first", "sort": "order_by", "q": "search"}

    async def call(
        self, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *, id: str | None = None,
        **arguments: Any,
    ) -> Answer:  # fmt: skip
        operation = self.operation(name)
        call = self._query(operation, id, arguments) if operation.is_read else self._mutation(operation, id, data or {})
        answer = await self.post({"query": call[0], "variables": call[1]}, actor)
        failed = self.read(answer)
        if failed is not None:
            return failed
        return Answer(self._read(operation, answer.json()["data"][field_name(operation)]), size=len(answer.content))

    async def post(
        self, body: Any, actor: Account | None = None, *, media_type: str = "application/json", accept: str = "*/*"
    ) -> httpx.Response:
        """One POST of a body: bytes as they are, anything else as JSON."""
        headers = {**(actor.headers if actor else {}), "Content-Type": media_type, "Accept": accept}
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.client.post("/graphql", content=content, headers=headers)

    async def run(self, query: str, variables: Mapping[str, Any] | None = None, actor: Account | None = None) -> Any:
        """Run a document; returns the whole body."""
        return (await self.post({"query": query, "variables": variables}, actor)).json()

    async def data(self, query: str, variables: Mapping[str, Any] | None = None, actor: Account | None = None) -> Any:
        """Run a document that must succeed; returns its data."""
        body = await self.run(query, variables, actor)
        assert "errors" not in body, body
        return body["data"]

    @staticmethod
    def read(answer: httpx.Response) -> Answer | None:
        """The first Problem of a response, if it has one."""
        errors = answer.json().get("errors")
        return Answer.of_problem(errors[0]["extensions"], len(answer.content)) if errors else None

    def _query(self, operation: Operation, id: str | None, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        resource = operation.resource
        assert resource is not None
        fields = " ".join(camel(name) for name in resource.fields)
        if operation.kind is Kind.GET:
            given = "(id: $id)" if operation.on_a_row else ""
            head = "query($id: ID!)" if operation.on_a_row else "query"
            return f"{head} {{ {field_name(operation)}{given} {{ {fields} }} }}", {"id": id}
        name = pascal(resource.name)
        types = {
            "first": "Int",
            "after": "String",
            "filter": f"{name}Filter",
            "orderBy": f"[{name}Order!]",
            "search": "String",
        }
        values = {
            "first": arguments.get("limit"),
            "after": arguments.get("after"),
            "filter": graphql_filter(resource, arguments["filter"]) if arguments.get("filter") is not None else None,
            "orderBy": [_order(each) for each in arguments["sort"]] if arguments.get("sort") is not None else None,
            "search": arguments.get("q"),
        }
        values = {key: value for key, value in values.items() if value is not None}
        head = f"({', '.join(f'${key}: {types[key]}' for key in values)})" if values else ""
        given = f"({', '.join(f'{key}: ${key}' for key in values)})" if values else ""
        count = "totalCount" if arguments.get("count") else ""
        page = f"edges {{ cursor node {{ {fields} }} }} pageInfo {{ hasNextPage endCursor }} {count}"
        return f"query{head} {{ {field_name(operation)}{given} {{ {page} }} }}", values

    def _mutation(self, operation: Operation, id: str | None, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        value: dict[str, Any] = {"id": id} if operation.on_a_row else {}
        kinds = fields_of(operation.input) if operation.input else {}
        for key, each in data.items():
            kind = kinds.get(key)
            upper = kind is not None and kind.enum is not None and isinstance(each, str)
            value[camel(key)] = each.upper() if upper else each
        taken = operation.input is not None or operation.on_a_row
        head, given = (f"($input: {pascal(operation.name)}Input!)", "(input: $input)") if taken else ("", "")
        return f"mutation{head} {{ {field_name(operation)}{given} {{ {_payload(operation)} }} }}", {"input": value}

    def _read(self, operation: Operation, value: Any) -> Any:
        result = operation.result
        if operation.kind is Kind.LIST and isinstance(result, Resource):
            rows = [_row(result, edge["node"]) for edge in value["edges"]]
            about = value["pageInfo"]
            page = {"has_next": about["hasNextPage"], "next": about["endCursor"] if about["hasNextPage"] else None}
            return {"data": rows, "page": {**page, **({"total": value["totalCount"]} if "totalCount" in value else {})}}
        if isinstance(result, Resource):
            return _row(result, value if operation.is_read else value[camel(result.name)])
        if result is not None:
            return {snake(key): each for key, each in value[camel(snake(result.__name__))].items()}
        return None


def graphql_filter(resource: Resource[Any], plain: Any) -> Any:
    """A filter in the services' habit, as GraphQL's input."""
    if not isinstance(plain, Mapping):
        return plain
    found: dict[str, Any] = {}
    for key, value in plain.items():
        if key in ("and", "or"):
            found[key] = [graphql_filter(resource, each) for each in value]
        elif key == "not":
            found[key] = graphql_filter(resource, value)
        else:
            kind = resource.fields.get(key)
            upper = kind is not None and kind.enum is not None
            conditions = value if isinstance(value, Mapping) else {"eq": value}
            found[camel(key)] = {camel(o): _upper(v) if upper else v for o, v in conditions.items()}
    return found


def _upper(value: Any) -> Any:
    if isinstance(value, list):
        return [_upper(each) for each in value]
    return value.upper() if isinstance(value, str) else value


def _order(text: str) -> dict[str, str]:
    return {"field": text.removeprefix("-").upper(), "direction": "DESC" if text.startswith("-") else "ASC"}


def _payload(operation: Operation) -> str:
    result = operation.result
    if isinstance(result, Resource):
        return f"{camel(result.name)} {{ {' '.join(camel(name) for name in result.fields)} }}"
    if result is not None:
        return f"{camel(snake(result.__name__))} {{ {' '.join(camel(name) for name in fields_of(result))} }}"
    return "id" if operation.kind is Kind.DELETE else "ok"


def _row(resource: Resource[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, kind in resource.fields.items():
        each = value[camel(name)]
        found[name] = each.lower() if kind.enum is not None and isinstance(each, str) else each
    return found


def snake_path(path: str) -> str:
    """A field path of either face, in REST's habit."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path).lower()
