"""One way to call an operation through either face, so that shared behaviour is tested by one text.

Data goes in and comes out in REST's habit (snake_case, lower-case enums, lists as `{"data": […], "page": {…}}`); the
GraphQL face translates. An answer that is a Problem comes back as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import orjson

from gateway.parity.calls.answers import CallResult, snake_path
from gateway.parity.calls.documents import graphql_answer, graphql_filter, graphql_request
from gateway.parity.calls.requests import rest_answer, rest_request
from graphql_schema.schema.naming import root_field_name
from services.catalogue import Catalogue, Operation
from tests.support.accounts import Account

__all__ = ["CallResult", "Face", "GraphQLFace", "RestFace", "graphql_filter", "snake_path"]


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
        expected: str | None = None, **arguments: Any,
    ) -> CallResult:  # fmt: skip
        """Call an operation by its name. `arguments` are those of a list: limit, after, filter, sort, q.

        `expected` is the version that the row must have, or `*`.
        """
        raise NotImplementedError

    async def version(self, name: str, actor: Account, id: str) -> str:
        """The version of a row, by the name of the operation that gets it."""
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
        expected: str | None = None, **arguments: Any,
    ) -> CallResult:  # fmt: skip
        asked = rest_request(self.operation(name), id, data, arguments, expected)
        answer = await self.send(
            asked.method, asked.path, actor, params=asked.query, content=asked.content, headers=asked.headers
        )
        return self.read(answer)

    async def version(self, name: str, actor: Account, id: str) -> str:
        """By `ETag`."""
        answer = await self.send("GET", f"/{self.operation(name).address.replace('{id}', id)}", actor)
        assert answer.status_code == 200, answer.text
        tag: str = answer.headers["etag"].strip('"')
        return tag

    async def send(
        self, method: str, path: str, actor: Account | None = None, *, params: Mapping[str, str] | None = None,
        content: bytes | None = None, media_type: str = "application/json", headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:  # fmt: skip
        """One request; `path` is below /api/v1, and may have a query string of its own."""
        headers = {**(actor.headers if actor else {}), "Content-Type": media_type, **(headers or {})}
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
    def read(answer: httpx.Response) -> CallResult:
        """What a response says; a failure must be a Problem."""
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.json()["status"] == answer.status_code
        return rest_answer(answer.status_code, answer.content)


class GraphQLFace(Face):
    """Through /graphql."""

    name = "graphql"
    arguments: ClassVar[Mapping[str, str]] = {"limit": "first", "sort": "order_by", "q": "search"}

    async def call(
        self, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *, id: str | None = None,
        expected: str | None = None, **arguments: Any,
    ) -> CallResult:  # fmt: skip
        operation = self.operation(name)
        answer = await self.post(graphql_request(operation, id, data, arguments, expected), actor)
        return graphql_answer(operation, answer.json(), len(answer.content))

    async def version(self, name: str, actor: Account, id: str) -> str:
        """By `etag`."""
        field = root_field_name(self.operation(name))
        found = await self.data(f"query($id: ID!) {{ {field}(id: $id) {{ etag }} }}", {"id": id}, actor)
        tag: str = found[field]["etag"]
        return tag

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
    def read(answer: httpx.Response) -> CallResult | None:
        """The first Problem of a response, if it has one."""
        errors = answer.json().get("errors")
        return CallResult.of_problem(errors[0]["extensions"], len(answer.content)) if errors else None
