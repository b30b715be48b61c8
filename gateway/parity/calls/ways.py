"""The ways of a call: through the services, REST, a search on REST, GraphQL by plans, and GraphQL by resolvers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson

from gateway.app import GRAPHQL_PATH
from gateway.parity.calls.answers import Answer
from gateway.parity.calls.documents import graphql_answer, graphql_request, list_argument
from gateway.parity.calls.requests import RestRequest, rest_answer, rest_request, search_request
from gateway.parity.cases.case import CURRENT, Case
from gateway.parity.world import asgi
from gateway.parity.world.callers import Caller
from gateway.parity.world.sandbox import Sandbox
from gateway.parity.world.world import CLIENT
from rest.batches import outcome_members
from rest.http.problems import problem_members
from rest.reading import KEY, TAG, Queries
from rest.representation import take_previous
from rest.routes import RestRoute, rest_routes
from services.catalogue import ANONYMOUS, Actor, Kind, Operation, Problem, Relation, ResultModel
from services.catalogue.models import parse_value
from services.catalogue.problems import NOT_FOUND
from services.catalogue.resources import Resource
from services.engine.authorization import authorize
from services.engine.gateway import Gateway, Shown
from services.engine.idempotency.once import Answered
from services.engine.writes import Write
from services.identity.auth.authentication import Authenticator, Presented
from services.queries.batches import EntryOutcome
from services.queries.lists import Page, Record, list_arguments
from services.queries.versions import Expected, tag_of_record

SERVICES: Final = "services"
"""The way that the others are compared with."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call: who makes it, of what, with which input; `id` is that of the row it is about."""

    operation: Operation
    caller: Caller
    case: Case
    id: str | None

    @property
    def include(self) -> Relation | None:
        """The relation that is read along."""
        resource = self.operation.resource
        return resource.relations[self.case.include] if self.case.include and resource is not None else None

    def __str__(self) -> str:
        return f"{self.operation.name}, {self.case.name}, by {self.caller.name}"


@dataclass(slots=True)
class Ways:
    """Makes calls in a sandbox, one at a time."""

    sandbox: Sandbox
    prefix: str
    _routes: dict[str, RestRoute] = field(init=False)

    def __post_init__(self) -> None:
        routes = rest_routes(self.sandbox.gateway.catalogue)
        self._routes = {each.operation.name: each for each in routes if each.operation and not each.is_search}

    def of(self, operation: Operation) -> Mapping[str, Callable[[Made], Awaitable[Answer]]]:
        """The ways of an operation, by name; the reference comes first."""
        found = {SERVICES: self.services, "rest": self.rest, "graphql": self.graphql}
        if operation.kind is Kind.LIST:
            found["rest, searched"] = self.searched
        return {**found, "graphql, resolved": self.resolved} if operation.is_read else found

    async def services(self, made: Made) -> Answer:
        """Through services/engine/gateway.py alone; what is read goes down the general path."""
        try:
            return Answer(await self._served(made))
        except Problem as problem:
            return Answer.of_problem(problem_members(problem), 0)

    async def rest(self, made: Made) -> Answer:
        """Through the REST face."""
        expected = await self._expected(made)
        asked = rest_request(made.operation, made.id, made.case.data, made.case.arguments, expected)
        return await self._requested(made, asked)

    async def searched(self, made: Made) -> Answer:
        """Through the REST face, by the search of a list."""
        return await self._requested(made, search_request(made.operation, made.case.arguments))

    async def _requested(self, made: Made, asked: RestRequest) -> Answer:
        self.sandbox.serve(self.sandbox.gateway)
        status, content = await asgi.request(
            self.sandbox.app, asked.method, self.prefix + asked.path,
            headers={**made.caller.headers, **asked.headers}, query=asked.query, content=asked.content,
        )  # fmt: skip
        return rest_answer(status, content)

    async def graphql(self, made: Made) -> Answer:
        """Through the GraphQL face, by a compiled plan where there is one."""
        return await self._document(made, self.sandbox.gateway)

    async def resolved(self, made: Made) -> Answer:
        """Through the GraphQL face, by resolvers."""
        return await self._document(made, self.sandbox.reference)

    async def _document(self, made: Made, gateway: Gateway) -> Answer:
        self.sandbox.serve(gateway)
        expected = await self._expected(made)
        body = orjson.dumps(graphql_request(made.operation, made.id, made.case.data, made.case.arguments, expected))
        _, content = await asgi.request(
            self.sandbox.app, "POST", GRAPHQL_PATH, headers=made.caller.headers, content=body
        )
        answer = graphql_answer(made.operation, orjson.loads(content), len(content), made.include)
        if made.operation.kind is Kind.LIST and answer.errors:
            return replace(answer, errors={list_argument(path): code for path, code in answer.errors.items()})
        return answer

    async def _served(self, made: Made) -> Any:
        """What the services return, as JSON. Raises Problems."""
        operation, gateway = made.operation, self.sandbox.reference
        actor = await self._actor(made, gateway)
        if operation.is_read:
            authorize(operation, actor)
        else:
            await gateway.admit(operation, actor, CLIENT)
        if made.include is not None:
            return await self._including(made, actor)
        if operation.kind is Kind.LIST:
            return await _listed(gateway, operation, actor, made.case.arguments)
        key = _key(operation, made.id)
        resource = operation.resource
        if operation.kind is Kind.GET:
            assert resource is not None
            return _row(resource, await gateway.row(operation, actor, key))
        data = orjson.dumps(made.case.data) if made.case.data is not None else None
        write = Write(key, data, expected=Expected.version(await self._expected(made)))
        result = await gateway.write(operation, actor, write, CLIENT)
        if isinstance(result, ResultModel):
            return result.model_dump(mode="json", exclude_none=True)
        if isinstance(result, list):
            shown = [_outcome(operation, each) for each in result]
            return {"results": shown}
        assert not isinstance(result, (Shown, Answered, Sequence))
        return _row(operation.result, result) if isinstance(operation.result, Resource) and result else None

    async def _expected(self, made: Made) -> str | None:
        """The version that the caller expects: if it is the row's, as they see it, then it is read first."""
        if made.case.expected != CURRENT or made.caller.actor is None:
            return made.case.expected
        resource, key = made.operation.resource, _key(made.operation, made.id)
        assert resource is not None
        assert key is not None
        async with self.sandbox.reference.records(made.caller.actor) as records:
            record = await records.get(resource, key)
        return made.case.expected if record is None else tag_of_record(resource, record)

    async def _actor(self, made: Made, gateway: Gateway) -> Actor:
        """As the faces: what is open to everybody does not look at credentials. Raises `invalid_token`."""
        if made.operation.scope is None:
            return ANONYMOUS
        if made.caller.actor is not None:
            return made.caller.actor
        headers = [(name.lower().encode(), value.encode()) for name, value in made.caller.headers.items()]
        return await gateway.part(Authenticator).actor(Presented.of(headers, CLIENT.address))

    async def _including(self, made: Made, actor: Actor) -> Any:
        """A row or a list with a relation: a query, for which the services have no words but REST's."""
        route = self._routes[made.operation.name]
        asked = rest_request(made.operation, made.id, None, made.case.arguments)
        query, inputs = Queries(route).parse(urlencode(asked.query).encode())
        key = _key(made.operation, made.id)
        slots = inputs if key is None else (key, *inputs)
        found = (await self.sandbox.reference.read(query, slots, actor))[KEY]
        if found is None:
            raise Problem(NOT_FOUND)
        if made.operation.kind is Kind.LIST:
            take_previous(found)
        return found


def _key(operation: Operation, identifier: str | None) -> UUID | None:
    if not operation.on_a_row:
        return None
    assert operation.resource is not None
    key: UUID = parse_value(operation.resource.adapter("id"), identifier, ("id",))
    return key


def _outcome(operation: Operation, outcome: EntryOutcome) -> dict[str, Any]:
    assert operation.resource is not None
    if outcome.row is None:
        return outcome_members(operation, outcome)
    row = {**_row(operation.resource, outcome.row), TAG: tag_of_record(operation.resource, outcome.row)}
    return outcome_members(operation, replace(outcome, row=row))


def _row(resource: Resource[Any], record: Record) -> dict[str, Any]:
    return {name: resource.serialise(name, record[name]) for name in resource.fields}


async def _listed(gateway: Gateway, operation: Operation, actor: Actor, arguments: Mapping[str, Any]) -> Any:
    resource = operation.resource
    assert resource is not None
    asked = list_arguments(resource, arguments)
    page: Page = await gateway.page(operation, actor, asked)
    following = page.cursors[-1] if page.has_next and page.cursors else None
    about: dict[str, Any] = {"has_next": page.has_next, "next": following}
    if arguments.get("count"):
        about["total"] = await gateway.count(operation, actor, asked.whole())
    return {"data": [_row(resource, each) for each in page.records], "page": about}
