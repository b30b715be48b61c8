"""Call operations by every path: the services, REST, REST's search, GraphQL by plans, and GraphQL by resolvers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson

from gateway.app import GRAPHQL_PATH
from gateway.parity.calls.answers import CallResult
from gateway.parity.calls.documents import graphql_answer, graphql_request, list_argument
from gateway.parity.calls.requests import RestRequest, rest_answer, rest_request, search_request
from gateway.parity.cases.case import CURRENT, Case
from gateway.parity.world.sandbox import Sandbox
from gateway.parity.world.world import CLIENT, Caller, resource_of
from rest.http.problems import problem_members
from rest.reading import Queries, shown_of
from rest.representation import Representation
from rest.routes import rest_routes
from rest.writing import outcome_members
from services.catalogue import ANONYMOUS, Actor, Kind, Operation, Problem, Relation, ResultModel
from services.catalogue.models import parse_value
from services.catalogue.resources import Resource
from services.engine.authorization import Readable
from services.engine.gateway import Gateway, WriteResult
from services.engine.idempotency.once import StoredOrNewAnswer
from services.engine.writes import Write
from services.identity.auth.authentication import Authenticator, Credentials
from services.queries.batches import EntryOutcome
from services.queries.lists import Page, Record, list_arguments
from services.queries.versions import Preconditions, tag_of_record

SERVICES: Final = "services"
"""The name of the path that the others are compared with."""

_HEADERS: Final = {"Host": "gateway.test", "Content-Type": "application/json", "User-Agent": CLIENT.agent}

Path = Callable[["Invocation"], Awaitable[CallResult]]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of an operation by a caller with a case's input; `id` is the identifier of the row it concerns."""

    operation: Operation
    caller: Caller
    case: Case
    id: str | None

    @property
    def include(self) -> Relation | None:
        return resource_of(self.operation).relations[self.case.include] if self.case.include else None

    def __str__(self) -> str:
        return f"{self.operation.name}, {self.case.name}, by {self.caller.name}"


@dataclass(slots=True)
class CallPaths:
    """Makes calls in a sandbox, one at a time."""

    sandbox: Sandbox

    def of(self, operation: Operation) -> Mapping[str, Path]:
        """Return the paths by which an operation can be called, by name; the reference comes first."""
        paths: dict[str, Path] = {
            SERVICES: self._services, "rest": self._rest, "graphql": partial(self._graphql, self.sandbox.gateway)
        }  # fmt: skip
        if operation.kind is Kind.LIST:
            paths["rest, searched"] = self._search
        if operation.is_read:
            paths["graphql, resolved"] = partial(self._graphql, self.sandbox.reference)
        return paths

    async def _services(self, made: Invocation) -> CallResult:
        try:
            return CallResult(await self._served(made))
        except Problem as problem:
            return CallResult.of_problem(problem_members(problem))

    async def _rest(self, made: Invocation) -> CallResult:
        case, expected = made.case, await self._expected(made)
        return await self._send(made, rest_request(made.operation, made.id, case.data, case.arguments, expected))

    async def _search(self, made: Invocation) -> CallResult:
        return await self._send(made, search_request(made.operation, made.case.arguments))

    async def _send(self, made: Invocation, request: RestRequest) -> CallResult:
        return rest_answer(
            *await self._request(self.sandbox.gateway, made.caller, request, self.sandbox.settings.API_V1_STR)
        )

    async def _graphql(self, gateway: Gateway, made: Invocation) -> CallResult:
        case, expected = made.case, await self._expected(made)
        content = orjson.dumps(graphql_request(made.operation, made.id, case.data, case.arguments, expected))
        _, body = await self._request(gateway, made.caller, RestRequest("POST", GRAPHQL_PATH, {}, content))
        answer = graphql_answer(made.operation, orjson.loads(body), include=made.include)
        if made.operation.kind is Kind.LIST and answer.errors:
            return replace(answer, errors={list_argument(path): code for path, code in answer.errors.items()})
        return answer

    async def _request(
        self, gateway: Gateway, caller: Caller, request: RestRequest, prefix: str = ""
    ) -> tuple[int, bytes]:
        """Send a request with a JSON body to the faces of a gateway, and return the response's status and body."""
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": request.content or b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        self.sandbox.app.state.gateway = gateway
        path = prefix + request.path
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": urlencode(request.query).encode(), "client": (CLIENT.address, 50_000),
            "headers": _encoded({**_HEADERS, **caller.headers, **request.headers}), "server": ("gateway.test", 80),
        }  # fmt: skip
        await self.sandbox.app(scope, receive, send)
        status = next(message["status"] for message in sent if message["type"] == "http.response.start")
        return status, b"".join(message.get("body", b"") for message in sent)

    async def _served(self, made: Invocation) -> Any:
        """Return the result of the services on the general path, as JSON. Raises Problems."""
        operation, gateway = made.operation, self.sandbox.reference
        actor = await self._actor(made, gateway)
        if operation.is_read:
            readable = gateway.allow(operation, actor)
            if made.include is not None:
                return await self._including(made, actor)
            if operation.kind is Kind.LIST:
                return await _listed(gateway, readable, made.case.arguments)
            return _row(readable.resource, await gateway.row(readable, _key(operation, made.id)))
        admitted = await gateway.admit(operation, actor, CLIENT)
        key = _key(operation, made.id)
        data = orjson.dumps(made.case.data) if made.case.data is not None else None
        write = Write(key, data, expected=Preconditions.version(await self._expected(made)))
        result = await gateway.write(admitted, write)
        if isinstance(result, ResultModel):
            return result.model_dump(mode="json", exclude_none=True)
        if isinstance(result, list):
            return {"results": [_outcome(operation, outcome) for outcome in result]}
        assert not isinstance(result, (WriteResult, StoredOrNewAnswer, Sequence))
        return _row(operation.result, result) if isinstance(operation.result, Resource) and result else None

    async def _expected(self, made: Invocation) -> str | None:
        """Return the version that the caller expects; the current one is read as the caller."""
        if made.case.expected != CURRENT or made.caller.actor is None:
            return made.case.expected
        resource, key = resource_of(made.operation), _key(made.operation, made.id)
        assert key is not None
        async with self.sandbox.reference.records(made.caller.actor) as records:
            record = await records.get(resource, key)
        return made.case.expected if record is None else tag_of_record(resource, record)

    async def _actor(self, made: Invocation, gateway: Gateway) -> Actor:
        """Return the actor that the faces find; public operations ignore credentials. Raises `invalid_token`."""
        if made.operation.scope is None:
            return ANONYMOUS
        if made.caller.actor is not None:
            return made.caller.actor
        credentials = Credentials.of(_encoded(made.caller.headers), CLIENT.address)
        return await gateway.part(Authenticator).actor(credentials)

    async def _including(self, made: Invocation, actor: Actor) -> Any:
        """Read a row or a list with a relation, by REST's query language: the services have none of their own."""
        routes = rest_routes(self.sandbox.gateway.catalogue)
        route = next(route for route in routes if route.operation is made.operation and not route.is_search)
        request = rest_request(made.operation, made.id, None, made.case.arguments)
        parsed = Queries(route).parse(urlencode(request.query).encode())
        inputs = parsed.inputs(_key(made.operation, made.id))
        return shown_of(route, await self.sandbox.reference.read(parsed.query, inputs, actor)).body


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _key(operation: Operation, identifier: str | None) -> UUID | None:
    if not operation.on_a_row:
        return None
    key: UUID = parse_value(resource_of(operation).adapter("id"), identifier, ("id",))
    return key


def _outcome(operation: Operation, outcome: EntryOutcome) -> dict[str, Any]:
    resource, row = resource_of(operation), outcome.row
    shown = Representation(_row(resource, row), tag_of_record(resource, row)) if row is not None else None
    return outcome_members(operation, outcome, shown)


def _row(resource: Resource[Any], record: Record) -> dict[str, Any]:
    return {name: resource.serialise(name, record[name]) for name in resource.fields}


async def _listed(gateway: Gateway, readable: Readable, arguments: Mapping[str, Any]) -> Any:
    resource = readable.resource
    parsed = list_arguments(resource, arguments)
    page: Page = await gateway.page(readable, parsed)
    following = page.cursors[-1] if page.has_next and page.cursors else None
    info: dict[str, Any] = {"has_next": page.has_next, "next": following}
    if arguments.get("count"):
        info["total"] = await gateway.count(readable, parsed.whole())
    return {"data": [_row(resource, record) for record in page.records], "page": info}
