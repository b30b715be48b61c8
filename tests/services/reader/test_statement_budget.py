"""Every read is one SQL statement, on both faces, however many rows there are above."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from graphql_schema.schema.naming import root_field_name
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue, Kind, Operation, Relation, nobody
from services.catalogue.naming import camel
from services.catalogue.resources import Resource
from tests.services.reader.conftest import Crowd
from tests.support.asgi import Reply, graphql, observed, request
from tests.support.generated.crowd import SIZE
from tests.support.generated.village import key
from tests.support.sampling import sampled

SHARE: Final = 1 / 5
"""Of what reads, in a sample."""
PARENTS: Final = (1, 10, SIZE)
BELOW: Final = 3
"""Rows of a list below a row, through GraphQL; through REST it is 20."""
MOST_INCLUDED: Final = 40
"""Parents for which two lists below each other can be included."""


@pytest.mark.sampled
async def test_every_list_is_one_statement_through_graphql(crowd: Crowd) -> None:
    for operation in sampled(_lists(crowd), SHARE):
        for fields in _selections(_resource(operation)):
            for size in PARENTS:
                query = f"{{ {root_field_name(operation)}(first: {size}) {{ totalCount nodes {{ id {fields} }} }} }}"
                body = await _one_statement(crowd, query)
                assert len(body["data"][root_field_name(operation)]["nodes"]) == size, query


@pytest.mark.sampled
async def test_every_list_is_one_statement_through_rest(crowd: Crowd) -> None:
    for operation in sampled(_lists(crowd), SHARE):
        for include, lists in _includes(_resource(operation)):
            for size in PARENTS:
                limit = min(size, MOST_INCLUDED) if lists > 1 else size
                query = f"limit={limit}&count=true{include}"
                found = await _one_statement_by_rest(crowd, f"/{operation.address}", query)
                assert len(found["data"]) == limit, (operation.address, query)


@pytest.mark.sampled
async def test_every_row_is_one_statement_through_graphql(crowd: Crowd) -> None:
    for operation in sampled(_of_kind(crowd, Kind.GET), SHARE):
        resource = _resource(operation)
        identified = f'(id: "{_identifier(resource)}")' if operation.on_a_row else ""
        for fields in _selections(resource):
            body = await _one_statement(crowd, f"{{ {root_field_name(operation)}{identified} {{ id {fields} }} }}")
            assert body["data"][root_field_name(operation)]["id"].startswith(resource.prefix)


@pytest.mark.sampled
async def test_every_row_is_one_statement_through_rest(crowd: Crowd) -> None:
    for route in sampled(_routes(crowd), SHARE):
        resource = route.relation.source if route.relation is not None else route.resource
        if resource is None or (route.is_list and route.relation is None):
            continue
        shown = route.resource
        assert shown is not None
        includes = [each for each in _includes(shown) if route.relation is None or "." not in each[0]]
        for include, lists in includes:
            limit = f"limit={min(SIZE, MOST_INCLUDED) if lists > 1 else SIZE}&count=true" if route.is_list else ""
            path = route.path.replace("{id}", _identifier(resource))
            await _one_statement_by_rest(crowd, path, f"{limit}{include}".removeprefix("&"))


async def test_nodes_are_one_statement(crowd: Crowd) -> None:
    for resource in filter(_is_open, crowd.running.gateway.catalogue.resources.values()):
        identifiers = await _identifiers(crowd, resource)
        for size in PARENTS:
            listed = ", ".join(f'"{each}"' for each in identifiers[:size])
            body = await _one_statement(crowd, f"{{ nodes(ids: [{listed}]) {{ id __typename }} }}")
            assert [each["id"] for each in body["data"]["nodes"]] == identifiers[:size]


async def test_parents_that_occur_twice_are_fetched_once(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four items with four labels each have seven different labels, of each of which one item is fetched."""
    below = "labels { nodes { items(first: 1) { nodes { id } } } }"
    query = f"{{ items(first: 4, orderBy: [{{field: CREATED_AT}}]) {{ nodes {{ id {below} }} }} }}"
    await _one_statement(crowd, query)
    assert crowd.running.gateway.reader is not None
    pool, rows = crowd.running.gateway.reader.pool, list[Sequence[Any]]()
    fetch_row = pool.fetch_row

    async def watched(text: str, values: Sequence[Any]) -> Any:
        rows.append(await fetch_row(text, values) or ())
        return rows[-1]

    monkeypatch.setattr(pool, "fetch_row", watched)
    await _one_statement(crowd, query)
    assert {len(array) for array in rows[-1]} == {4, 16, 7}


async def test_many_roots_are_one_statement(crowd: Crowd) -> None:
    roots = [f"{root_field_name(each)}(first: 2) {{ totalCount nodes {{ id }} }}" for each in _lists(crowd)]
    await _one_statement(crowd, f"{{ me {{ id }} {' '.join(roots)} }}")


async def _one_statement(crowd: Crowd, query: str) -> Any:
    async def send() -> Reply:
        return await graphql(crowd.running.app, {"query": query}, crowd.caller.headers)

    body = await _counted(send, query)
    assert "errors" not in body, (query, body)
    return body


async def _one_statement_by_rest(crowd: Crowd, path: str, query: str) -> Any:
    async def send() -> Reply:
        address = f"/api/v1{path}"
        return await request(crowd.running.app, "GET", address, query=query.encode(), headers=crowd.caller.headers)

    return await _counted(send, f"GET {path}?{query}")


async def _counted(send: Any, told: str) -> Any:
    """The body of an answer that must cost one statement, once the caller is known."""
    with observed() as seen:
        reply = await send()
        if seen[-1].statements != 1:
            # Twice a minute, whether the session is live is looked up.
            reply = await send()
    assert reply.status == 200, (told, reply.content)
    assert (seen[-1].statements, seen[-1].path) == (1, "compiled"), told
    return reply.json()


def _lists(crowd: Crowd) -> list[Operation]:
    return _of_kind(crowd, Kind.LIST)


def _of_kind(crowd: Crowd, kind: Kind) -> list[Operation]:
    catalogue: Catalogue = crowd.running.gateway.catalogue
    return [each for each in catalogue.operations.values() if each.kind is kind and _is_open(_resource(each))]


def _routes(crowd: Crowd) -> list[RestRoute]:
    routes = [each for each in rest_routes(crowd.running.gateway.catalogue) if each.method == "GET"]
    return [each for each in routes if each.resource is None or _is_open(each.resource)]


def _is_open(resource: Resource[Any]) -> bool:
    """Whether somebody who is no admin may read a row of it."""
    return resource.policy.rules["read"] is not nobody


def _resource(operation: Operation) -> Resource[Any]:
    assert operation.resource is not None
    return operation.resource


def _selections(resource: Resource[Any]) -> Iterator[str]:
    """Every relation, with every relation below it."""
    yield " ".join(camel(name) for name in resource.fields if name != "id")
    for name, relation in resource.relations.items():
        below = [_shown(camel(each), inner, "id") for each, inner in relation.target.relations.items()]
        yield _shown(camel(name), relation, " ".join(["id", *below]))


def _shown(name: str, relation: Relation, fields: str) -> str:
    if not relation.many:
        return f"{name} {{ {fields} }}"
    return f"{name}(first: {BELOW}) {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {fields} }} }}"


def _includes(resource: Resource[Any]) -> Iterator[tuple[str, int]]:
    """Every relation alone, and with each relation below it; and how many of them are lists."""
    yield "", 0
    for name, relation in resource.relations.items():
        yield f"&include={name}", int(relation.many)
        for below, inner in relation.target.relations.items():
            yield f"&include={name}.{below}", relation.many + inner.many


def _identifier(resource: Resource[Any]) -> str:
    names = {
        "user": "user 0", "workspace": "room 0", "membership": "membership 0 0", "comment": "comment 0 0",
        "session": "session user",
    }  # fmt: skip
    return resource.encode(key(names.get(resource.name, f"{resource.name} 0")))


async def _identifiers(crowd: Crowd, resource: Resource[Any]) -> list[str]:
    operation = next(each for each in _lists(crowd) if each.resource is resource)
    query = f"{{ {root_field_name(operation)}(first: {SIZE}) {{ nodes {{ id }} }} }}"
    body = await _one_statement(crowd, query)
    return [each["id"] for each in body["data"][root_field_name(operation)]["nodes"]]
