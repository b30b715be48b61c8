"""Bodies that are not what they say: the same bytes as a REST body and as the input of a GraphQL mutation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import orjson
import pytest

from services.engine.gateway import Gateway
from tests.services.catalogue.test_bad_input import MAX_SIZE
from tests.support.accounts import Account
from tests.support.faces import CallResult, GraphQLFace, RestFace
from tests.support.state import unchanged

QUERY = "mutation($input: CreateItemInput!) { createItem(input: $input) { item { id } } }"

Send = Callable[[bytes], Awaitable[CallResult]]


@pytest.fixture(params=["rest", "graphql"])
def send(request: pytest.FixtureRequest, client: httpx.AsyncClient, gateway: Gateway, ada: Account) -> Send:
    """Sends bytes as the input of `create_item`."""

    async def by_rest(data: bytes) -> CallResult:
        face = RestFace(client, gateway.catalogue)
        return face.read(await face.send("POST", "/items", ada, content=data))

    async def by_graphql(data: bytes) -> CallResult:
        body = b'{"query": ' + orjson.dumps(QUERY) + b', "variables": {"input": ' + data + b"}}"
        answer = await GraphQLFace(client, gateway.catalogue).post(body, ada)
        return GraphQLFace.read(answer) or CallResult()

    return by_rest if request.param == "rest" else by_graphql


MALFORMED = {
    "open brace": b"{",
    "word": b"nope",
    "trailing comma": b'{"title": "x",}',
    "single quotes": b"{'title': 'x'}",
    "comment": b'{"title": "x" /* y */}',
    "two values": b'{"title": "x"} {"title": "y"}',
    "bare NUL": b"\x00",
    "raw NUL in a string": b'{"title": "a\x00b"}',
    "unclosed lists": b"[" * 10_000,
    "lists in lists": b"[" * 100_000 + b"]" * 100_000,
    "objects in objects": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "invalid UTF-8": b'{"title": "\xff"}',
    "invalid UTF-8 in a name": b'{"\xc3\x28": 1}',
    "overlong UTF-8": b'{"title": "\xc0\xaf"}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "encoded surrogate": b'{"title": "\xed\xa0\x80"}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "lone low surrogate": b'{"title": "\\udc00x"}',
    "lone surrogate in a name": b'{"\\ud800": 1}',
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_body_is_a_bad_request(send: Send, gateway: Gateway, data: bytes) -> None:
    async with unchanged(gateway):
        answer = await send(data)
    assert (answer.problem, answer.status, answer.errors) == ("bad_request", 400, {})
    assert answer.size < MAX_SIZE


DEEP = [10, 100, 190, 250, 500, 900]


@pytest.mark.parametrize("depth", DEEP)
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
async def test_deep_value_is_refused(send: Send, gateway: Gateway, depth: int, left: bytes, right: bytes) -> None:
    async with unchanged(gateway):
        answer = await send(b'{"title": ' + left * depth + b"1" + right * depth + b"}")
    assert (answer.problem, answer.errors) in [("bad_request", {}), ("validation_failed", {"title": "type"})]
    assert answer.size < MAX_SIZE


HUGE = {
    "30 digits": b"1" * 30,
    "negative": b"-" + b"9" * 25,
    "5,000 digits": b"7" * 5_000,
    "exponent": b"1e400",
    "NaN": b"NaN",
}


@pytest.mark.parametrize("number", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("name", ["priority", "title", "nope"])
async def test_huge_number_is_refused(send: Send, gateway: Gateway, name: str, number: bytes) -> None:
    async with unchanged(gateway):
        given = {b"title": b'"x"', name.encode(): number}
        answer = await send(b"{" + b", ".join(b'"%b": %b' % each for each in given.items()) + b"}")
    assert answer.problem in {"bad_request", "validation_failed"}
    assert set(answer.errors or {}) <= {name}
    assert answer.size < MAX_SIZE


@pytest.mark.parametrize("data", [b"null", b'"x"', b"1", b"true", b"[1]", b"[]", b'[{"title": "x"}]', b"1.5"])
async def test_input_that_is_not_an_object_is_refused(send: Send, gateway: Gateway, data: bytes) -> None:
    async with unchanged(gateway):
        answer = await send(data)
    named = {"input": "required" if data == b"null" else "type"}
    assert (answer.problem, answer.errors) in [("bad_request", {}), ("validation_failed", named)]
    assert answer.size < MAX_SIZE


GRAPHQL_BODIES = {
    "empty": b"",
    "batch": b'[{"query": "{ me { id } }"}]',
    "null": b"null",
    "text": b'"{ me { id } }"',
    "number": b"1",
    "no query": b"{}",
    "null query": b'{"query": null}',
    "empty query": b'{"query": ""}',
    "number as query": b'{"query": 5}',
    "object as query": b'{"query": {}}',
    "list of variables": b'{"query": "{ me { id } }", "variables": []}',
    "text as variables": b'{"query": "{ me { id } }", "variables": "{}"}',
    "number as operation name": b'{"query": "{ me { id } }", "operationName": 5}',
}


@pytest.mark.parametrize("body", GRAPHQL_BODIES.values(), ids=GRAPHQL_BODIES)
async def test_graphql_request_of_another_form_is_a_bad_request(
    graphql: GraphQLFace, ada: Account, body: bytes
) -> None:
    response = await graphql.post(body, ada)
    answer = graphql.read(response)
    assert response.status_code == 400
    assert answer is not None
    assert (answer.problem, answer.status, answer.errors) == ("bad_request", 400, {})
    assert answer.size < MAX_SIZE
