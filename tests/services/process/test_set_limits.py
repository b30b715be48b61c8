"""Each limit is as it is set, on both faces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import insert, select

from gateway.settings import Settings
from graphql_schema.schema.schema import build_schema
from services.catalogue import new_key
from services.sample.labels.resource import labels
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.asgi import graphql, request
from tests.support.state import unchanged


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """A gateway with limits of its own."""
    changed = {
        "MAX_PAGE_SIZE": 7, "MAX_ROWS": 30, "MAX_SKIP": 3, "MAX_FILTER_CONDITIONS": 2, "MAX_FILTER_DEPTH": 2,
        "MAX_FILTER_VALUES": 2, "MAX_INCLUDES": 1, "MAX_INCLUDE_DEPTH": 1, "MAX_BODY_VALUES": 20, "MAX_PARAMETERS": 3,
        "MAX_QUERY_STRING_BYTES": 120, "MAX_BATCH_ENTRIES": 2,
        "GRAPHQL_INTROSPECTION": False, "GRAPHQL_MAX_DOCUMENT_CHARACTERS": 300,
        "GRAPHQL_MAX_TOKENS": 60, "GRAPHQL_MAX_DEPTH": 5, "GRAPHQL_MAX_ALIASES": 3, "GRAPHQL_MAX_DIRECTIVES": 3,
        "GRAPHQL_MAX_DIRECTIVES_PER_PLACE": 1, "GRAPHQL_MAX_FRAGMENTS": 1, "GRAPHQL_MAX_OPERATIONS": 1,
        "GRAPHQL_MAX_FIELD_COMPARISONS": 8, "GRAPHQL_MAX_QUERY_FIELDS": 2, "GRAPHQL_MAX_MUTATION_FIELDS": 1,
        "GRAPHQL_MAX_NODES": 1, "GRAPHQL_MAX_VARIABLES_BYTES": 150, "GRAPHQL_MAX_VARIABLES_DEPTH": 4,
        "GRAPHQL_MAX_INPUT_OBJECTS": 3,
    }  # fmt: skip
    async with running(settings.model_copy(update=changed)) as found:
        yield found


@pytest.fixture
async def guest(strict: Running) -> Account:
    """Somebody signed in there."""
    return await sign_up(strict.client)


SET: dict[str, tuple[str, Any, str]] = {
    "MAX_PAGE_SIZE": ("{ items(first: 8) { totalCount } }", None, "from 1 to 7"),
    "MAX_ROWS": ("{ items(first: 7) { nodes { children(first: 7) { totalCount } } } }", None, "more than 30 rows"),
    "MAX_FILTER_CONDITIONS": (
        "query($f: ItemFilter) { items(filter: $f) { totalCount } }", {"f": {"priority": {"gt": 1, "lt": 9, "ne": 5}}},
        "at most 2 conditions"),
    "MAX_FILTER_DEPTH": (
        "query($f: ItemFilter) { items(filter: $f) { totalCount } }", {"f": {"not": {"not": {}}}}, "at most 2 deep"),
    "MAX_FILTER_VALUES": (
        "query($f: ItemFilter) { items(filter: $f) { totalCount } }", {"f": {"priority": {"in": [1, 2, 3]}}},
        "at most 2 entries"),
    "MAX_BODY_VALUES": ("{ me { id } }", {"x": [1] * 30}, "at most 20 values"),
    "GRAPHQL_INTROSPECTION": ("{ __schema { types { name } } }", None, "switched off"),
    "GRAPHQL_MAX_DOCUMENT_CHARACTERS": ("{ me { id } }" + " " * 300, None, "at most 300 characters"),
    "GRAPHQL_MAX_TOKENS": ("{ me { " + "id " * 60 + "} }", None, "more than 60 tokens"),
    "GRAPHQL_MAX_DEPTH": (
        "{ items { nodes { parent { parent { parent { id } } } } } }", None, "at most 5 deep"),
    "GRAPHQL_MAX_ALIASES": ("{ me { a: id b: id c: id d: id } }", None, "at most 3 aliases"),
    "GRAPHQL_MAX_DIRECTIVES": (
        "{ me { " + " ".join("id @skip(if: false)" for _ in range(4)) + " } }", None, "at most 3 directives"),
    "GRAPHQL_MAX_DIRECTIVES_PER_PLACE": (
        "{ me { id @skip(if: false) @include(if: true) } }", None, "One place has at most 1 directives"),
    "GRAPHQL_MAX_FRAGMENTS": (
        "{ me { ...A ...B } } fragment A on User { id } fragment B on User { id }", None, "at most 1 fragments"),
    "GRAPHQL_MAX_OPERATIONS": ("query A { me { id } } query B { me { id } }", None, "at most 1 operations"),
    "GRAPHQL_MAX_FIELD_COMPARISONS": ("{ me { id id id id } }", None, "8 comparisons"),
    "GRAPHQL_MAX_QUERY_FIELDS": ("{ me { id } items { totalCount } labels { totalCount } }", None, "at most 2 fields"),
    "GRAPHQL_MAX_MUTATION_FIELDS": ("mutation { a: logout { ok } b: logout { ok } }", None, "at most 1 fields"),
    "GRAPHQL_MAX_NODES": ('{ nodes(ids: ["itm_1", "itm_2"]) { id } }', None, "At most 1 can be found"),
    "GRAPHQL_MAX_VARIABLES_BYTES": ("{ me { id } }", {"x": "y" * 150}, "at most 150 bytes"),
    "GRAPHQL_MAX_VARIABLES_DEPTH": ("{ me { id } }", {"x": [[[[1]]]]}, "at most 4 deep"),
    "GRAPHQL_MAX_INPUT_OBJECTS": (
        "query($f: ItemFilter) { items(filter: $f) { totalCount } }", {"f": {"or": [{}, {}, {}]}}, "at most 3 objects"),
}  # fmt: skip


@pytest.mark.parametrize(("query", "variables", "words"), SET.values(), ids=SET)
async def test_limit_is_as_it_is_set_on_graphql(
    strict: Running, guest: Account, query: str, variables: Any, words: str
) -> None:
    reply = await graphql(strict.app, {"query": query, "variables": variables}, guest.headers)
    (error,) = reply.json()["errors"]
    said = [error["message"], *(each["message"] for each in error["extensions"].get("errors", ()))]
    assert words in " ".join(said)


SET_ON_REST: dict[str, tuple[str, str]] = {
    "MAX_PAGE_SIZE": ("limit=8", "from 1 to 7"),
    "MAX_SKIP": ("skip=4", "from 0 to 3"),
    "MAX_ROWS": ("limit=7&include=children", "more than 30 rows"),
    "MAX_FILTER_CONDITIONS": ("priority[gt]=1&priority[lt]=9&priority[ne]=5", "at most 2 conditions"),
    "MAX_FILTER_DEPTH": ('filter={"not":{"not":{}}}', "at most 2 deep"),
    "MAX_FILTER_VALUES": ("priority[in]=1,2,3", "at most 2 entries"),
    "MAX_INCLUDES": ("include=labels,comments", "At most 1 relations"),
    "MAX_INCLUDE_DEPTH": ("include=parent.parent", "1 deep"),
    "MAX_PARAMETERS": ("a=1&b=1&c=1&d=1", "at most 3 parameters"),
    "MAX_QUERY_STRING_BYTES": ("title=" + "x" * 120, "at most 120 bytes"),
}


@pytest.mark.parametrize(("query", "words"), SET_ON_REST.values(), ids=SET_ON_REST)
async def test_limit_is_as_it_is_set_on_rest(strict: Running, guest: Account, query: str, words: str) -> None:
    reply = await request(strict.app, "GET", "/api/v1/items", query=query.encode(), headers=guest.headers)
    problem = reply.json()
    said = [problem["detail"], *(each["message"] for each in problem.get("errors", ()))]
    assert words in " ".join(said)


@pytest.mark.parametrize("dry", [{}, {"X-Dry-Run": "cost"}], ids=["run", "dry"])
@pytest.mark.parametrize("face", ["rest", "graphql"])
async def test_batch_is_as_long_as_it_is_set(strict: Running, guest: Account, face: str, dry: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json", **guest.headers, **dry}

    async def sent(number: int) -> Any:
        body: dict[str, Any] = {"operations": [{"create": {"name": f"l{n}"}} for n in range(number)]}
        path = "/api/v1/labels/batch"
        if face == "graphql":
            entries = " ".join(f'{{create: {{name: "l{n}"}}}}' for n in range(number))
            document = f"mutation {{ batchLabels(input: {{operations: [{entries}]}}) {{ results {{ status }} }} }}"
            path, body = "/graphql", {"query": document}
        return (await request(strict.app, "POST", path, headers=headers, content=orjson.dumps(body))).json()

    async with unchanged(strict.gateway):
        answer = await sent(3)
    problem = answer if face == "rest" else answer["errors"][0]["extensions"]
    assert (problem["code"], [each["field"] for each in problem["errors"]]) == ("validation_failed", ["operations"])
    assert problem["errors"][0]["message"] == "This should have at most 2 entries."
    assert "errors" not in await sent(2)


async def test_contracts_tell_the_limits_that_are_set(strict: Running, guest: Account) -> None:
    document = (await strict.client.get("/api/v1/openapi.json")).json()
    limit = document["components"]["parameters"]["limit"]["schema"]
    assert (limit["maximum"], limit["default"]) == (7, 7)
    entries = document["components"]["schemas"]["LabelsBatch"]["properties"]["operations"]
    assert (entries["minItems"], entries["maxItems"]) == (1, 2)
    assert entries["description"] == "The operations, in order: at most 2."
    schema = build_schema(strict.gateway.catalogue, limits=strict.gateway.limits).as_str()
    assert '"""The operations, in order: at most 2."""' in schema
    assert "500" not in schema
    assert "How many at most, from the start: 1 to 7, 7 if left out." in schema


async def test_longer_pages_can_be_allowed(settings: Settings) -> None:
    async with running(settings.model_copy(update={"MAX_PAGE_SIZE": 150})) as long:
        account = await sign_up(long.client)
        rest = long.face("rest")
        label = await rest.ok("create_label", account, {"name": "l0"})
        kept = [each for each in labels.table.columns if each.computed is None]
        async with long.gateway.database.unit_of_work() as session:
            asked = select(*kept).where(labels.table.c.id == UUID(hex=label["id"][4:]))
            row = (await session.execute(asked)).mappings().one()
            more = [{**row, "id": new_key(), "name": f"l{number}"} for number in range(1, 120)]
            await session.execute(insert(labels.table), more)
            await session.commit()
        for _ in range(3):
            assert len((await rest.ok("list_labels", account, limit=150))["data"]) == 120


async def test_typename_stays_without_introspection(strict: Running, guest: Account) -> None:
    reply = await graphql(strict.app, {"query": "{ __typename me { __typename } }"}, guest.headers)
    assert reply.json() == {"data": {"__typename": "Query", "me": {"__typename": "User"}}}
    for query in ('{ __type(name: "Item") { name } }', "{ ...F } fragment F on Query { __schema { types { name } } }"):
        (error,) = (await graphql(strict.app, {"query": query}, guest.headers)).json()["errors"]
        assert error["extensions"]["code"] == "invalid_document"


async def test_graphiql_says_that_there_is_no_introspection(strict: Running, client: Any) -> None:
    words = "Introspection is switched off"
    page = await strict.client.get("/graphql", headers={"Accept": "text/html"})
    assert words in page.text
    assert words not in (await client.get("/graphql", headers={"Accept": "text/html"})).text
