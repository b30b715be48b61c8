"""A name that comes twice in a JSON object is refused, wherever a caller may send JSON, and nothing is done."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.engine.gateway import Gateway
from tests.services.catalogue.test_bad_bodies import Send, send
from tests.support.accounts import Account
from tests.support.apps import running
from tests.support.faces import GraphQLFace, RestFace
from tests.support.state import unchanged

__all__ = ["send"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"title": "one", "title": "two"}', "title"),
        (b'{"title": "one", "\\u0074itle": "one"}', "title"),
        (b'{"title": "one", "nope": {"x": 1, "x": 1}}', "nope.x"),
    ],
)
async def test_name_given_twice_in_an_input_is_refused(send: Send, gateway: Gateway, data: bytes, name: str) -> None:
    async with unchanged(gateway):
        answer = await send(data)
    assert (answer.problem, answer.status) == ("bad_request", 400)
    assert {path.removeprefix("variables.input."): code for path, code in (answer.errors or {}).items()} == {
        name: "conflict"
    }


REST: dict[str, tuple[str, str, bytes | None, str]] = {
    "batch": ("POST", "/items/batch", b'{"operations": [{"create": {"q": 1, "q": 2}}]}', "operations[0].create.q"),
    "batch itself": ("POST", "/items/batch", b'{"operations": [], "operations": []}', "operations"),
    "sign-in": ("POST", "/auth/refresh", b'{"x": 1, "x": 2}', "x"),
    "search": ("POST", "/items/search", b'{"limit": 1, "limit": 2}', "limit"),
    "search's filter": ("QUERY", "/items", b'{"filter": {"title": {"eq": "a", "eq": "b"}}}', "filter.title.eq"),
    "filter": ("GET", "/items?filter=%7B%22q%22:1,%22q%22:2%7D", None, "filter.q"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "name"), REST.values(), ids=REST)
async def test_rest_refuses_it(
    rest: RestFace, gateway: Gateway, ada: Account, method: str, path: str, body: bytes | None, name: str
) -> None:
    async with unchanged(gateway):
        answer = rest.read(await rest.send(method, path, ada, content=body))
    assert (answer.problem, answer.status, answer.errors) == ("bad_request", 400, {name: "conflict"})


GRAPHQL: dict[str, tuple[bytes, str]] = {
    "query": (b'{"query": "{ __typename }", "query": "{ me { id } }"}', "query"),
    "operationName": (b'{"query": "{ __typename }", "operationName": "a", "operationName": null}', "operationName"),
    "variables": (b'{"query": "{ __typename }", "variables": {"a": 1, "a": 2}}', "variables.a"),
    "extensions": (b'{"query": "{ __typename }", "extensions": {"cost": 1, "cost": true}}', "extensions.cost"),
}


@pytest.mark.parametrize(("body", "name"), GRAPHQL.values(), ids=GRAPHQL)
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_graphql_refuses_it(graphql: GraphQLFace, ada: Account, body: bytes, name: str, accept: str) -> None:
    answer = await graphql.post(body, ada, accept=accept)
    found = problem_of(answer.text.removeprefix("event: next\ndata: ").partition("\n")[0])
    assert (found["code"], found["errors"][0]["field"]) == ("bad_request", name)


async def test_batch_is_refused_as_a_whole(gateway: Gateway, settings: Any) -> None:
    async with running(settings.model_copy(update={"GRAPHQL_BATCH": 3})) as found:
        body = b'[{"query": "{ __typename }"}, {"query": "{ __typename }", "id": "a", "id": "b"}]'
        answer = await found.client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert problem_of(answer.text)["errors"][0]["field"] == "[1].id"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("query={__typename}&variables={%22a%22:1,%22a%22:2}", "`variables` gives the name `a` twice in one object."),
        ("query={__typename}&extensions={%22a%22:1,%22a%22:2}", "`extensions` gives the name `a` twice in one object."),
        ("query={__typename}&query={me{id}}", "The parameter `query` is given twice."),
        ("query={__typename}&variables={}&variables={}", "The parameter `variables` is given twice."),
        ("query={__typename}&operationName=a&operationName=b", "The parameter `operationName` is given twice."),
        ("documentId=a&documentId=b", "The parameter `documentId` is given twice."),
    ],
)
async def test_address_refuses_it(graphql: GraphQLFace, query: str, said: str) -> None:
    answer = await graphql.client.get(f"/graphql?{query}", headers={"Apollo-Require-Preflight": "1"})
    found = problem_of(answer.text)
    assert (answer.status_code, found["code"], found["detail"]) == (400, "bad_request", said)


def problem_of(text: str) -> Any:
    return orjson.loads(text)["errors"][0]["extensions"]
