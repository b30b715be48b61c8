"""Requests for one row by its identifier, and what is left of the answers when the identifier is taken out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from graphql_schema.schema.naming import root_field_name
from rest.routes import METHODS
from services.catalogue import Catalogue, Identifier, Operation, Relation
from services.catalogue.models import fields_of
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.queries.limits import DEFAULTS
from tests.support.asgi import Reply
from tests.support.factories import unknown_id
from tests.support.reach.callers import Caller
from tests.support.reach.pair import Reach, Tally

_CHANGING: Final = ("x-request-id", "date", "server-timing", "content-length")


@dataclass(frozen=True)
class Asked:
    """A request with an identifier in it, written `@`."""

    method: str
    path: str
    content: Any = None
    query: str = ""

    def of(self, identifier: str) -> Asked:
        """The request with this identifier."""
        text = orjson.dumps(self.content).decode().replace('"@"', f'"{identifier}"')
        content = None if self.content is None else orjson.loads(text)
        return replace(self, path=self.path.replace("@", identifier), content=content)

    @property
    def body(self) -> bytes:
        """What is sent."""
        return b"" if self.content is None else orjson.dumps(self.content)


def told(reply: Reply, identifier: str) -> tuple[int, dict[str, str], bytes]:
    """An answer without the identifier that was asked for, and without what differs from request to request."""
    request_id = reply.headers.get("x-request-id", "-")
    headers = {name: each for name, each in reply.headers.items() if name not in _CHANGING}
    content = reply.content.replace(identifier.encode(), b"@").replace(request_id.encode(), b"")
    return reply.status, headers, content


async def same(reach: Reach, way: str, caller: Caller, asked: Asked, foreign: str, tally: Tally) -> int:
    """Whether a request is answered alike for a row that the caller may not see and for none; the status."""
    answers = []
    for identifier in (foreign, unknown_id(foreign.partition("_")[0])):
        each = asked.of(identifier)
        reply = await reach.send(way, caller, each.method, each.path, tally, query=each.query, content=each.body)
        answers.append(told(reply, identifier))
    tally.checked += 1
    if answers[0] != answers[1]:
        tally.faults.append(f"{caller.name}, {way}: {asked} is answered {answers[0]} and {answers[1]}")
    return answers[0][0]


def of_row(catalogue: Catalogue, operation: Operation) -> Iterator[Asked]:
    """An operation on a row, on both faces."""
    assert operation.resource is not None
    data = sample(operation)
    content = None if operation.input is None else data
    path = f"/api/v1/{operation.address.replace('{id}', '@')}"
    yield Asked(METHODS[operation.kind], path, content)
    if operation.is_read:
        yield Asked(
            "POST", "/graphql", document(f"query($id: ID!) {{ {root_field_name(operation)}(id: $id) {{ id }} }}")
        )
        relations = operation.resource.relations
        yield Asked("GET", path, query=f"include={','.join(relations)}") if relations else Asked("GET", path)
    else:
        yield mutation(operation, {"id": "@", **data})


def of_node(resource: Resource[Any]) -> Iterator[Asked]:
    """Looking a row up whatever it is, alone and among others."""
    yield Asked("POST", "/graphql", document("query($id: ID!) { node(id: $id) { id } }"))
    several = document("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["@", unknown_id(resource.prefix)]})
    assert DEFAULTS.GRAPHQL_MAX_NODES >= 2
    yield Asked("POST", "/graphql", several)


def of_relation(relation: Relation) -> Asked:
    """A list below a row."""
    path = f"/api/v1/{relation.source.plural}/@/{relation.name.replace('_', '-')}"
    return Asked("GET", path, query="count=true")


def of_reference(operation: Operation, field: str, row: str | None) -> Iterator[Asked]:
    """An operation whose input names a row in this field; `row` is what it is done to, if it is done to one."""
    assert operation.input is not None
    value: Any = ["@"] if fields_of(operation.input)[field].many else "@"
    data = {**sample(operation), field: value}
    path = f"/api/v1/{operation.address.replace('{id}', row or '')}"
    yield Asked(METHODS[operation.kind], path, data)
    yield mutation(operation, {"id": row, **data} if operation.on_a_row else data)


def references(operation: Operation) -> Iterator[tuple[str, Identifier]]:
    """The fields of an operation's input that name rows."""
    for name, kind in fields_of(operation.input).items() if operation.input else ():
        if kind.identifier is not None:
            yield name, kind.identifier


def sample(operation: Operation) -> dict[str, Any]:
    """An input that nothing is wrong with but that it may name what is not there: REST's JSON, identifiers unknown."""
    found: dict[str, Any] = {}
    for name, kind in fields_of(operation.input).items() if operation.input else ():
        info = operation.input.model_fields[name] if operation.input else None
        if info is None or kind.many:
            continue
        if kind.identifier is not None:
            if info.is_required():
                found[name] = f"{kind.identifier.prefix}_{1:032x}"
        elif info.examples:
            found[name] = info.examples[0]
        elif kind.enum is not None:
            found[name] = next(iter(kind.enum)).value
    return found


def mutation(operation: Operation, data: Mapping[str, Any]) -> Asked:
    """An operation on the GraphQL face; `data` in REST's habit."""
    kinds = fields_of(operation.input) if operation.input else {}
    given = {
        camel(name): each.upper() if name in kinds and kinds[name].enum is not None else each
        for name, each in data.items()
    }
    text = (
        f"mutation($i: {pascal(operation.name)}Input!) {{ {root_field_name(operation)}(input: $i) {{ __typename }} }}"
    )
    return Asked("POST", "/graphql", {"query": text, "variables": {"i": given}})


def document(query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of a GraphQL request."""
    return {"query": query, "variables": variables or {"id": "@"}}
