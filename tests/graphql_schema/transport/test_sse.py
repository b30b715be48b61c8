"""GraphQL over server-sent events: the same answers, as events."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import orjson
import pytest

from graphql_schema.execution.running import ExecutionResult
from graphql_schema.transport import sse
from graphql_schema.transport.http import HTTPRequestContext
from graphql_schema.transport.sse import EventStream
from services.catalogue import Problem
from services.catalogue.problems import INVALID_TOKEN
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.faces import GraphQLFace, RestFace
from tests.support.state import unchanged

EVENTS = "text/event-stream"
ME = "{ me { id } }"
CREATE = 'mutation { createItem(input: {title: "Wheel"}) { item { title } } }'
COMPLETE = "event: complete\ndata:\n\n"


def one(body: Any) -> str:
    """The stream of an operation with one result."""
    return f"event: next\ndata: {orjson.dumps(body).decode()}\n\n{COMPLETE}"


async def test_query_by_post(graphql: GraphQLFace, ada: Account) -> None:
    answer = await graphql.post({"query": ME}, ada, accept=EVENTS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{EVENTS}; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text == one({"data": {"me": {"id": ada.id}}})


async def test_query_by_get(client: httpx.AsyncClient, ada: Account) -> None:
    answer = await client.get("/graphql", params={"query": ME}, headers={**ada.headers, "Accept": EVENTS})
    assert (answer.status_code, answer.text) == (200, one({"data": {"me": {"id": ada.id}}}))


async def test_head_has_no_body(client: httpx.AsyncClient, ada: Account) -> None:
    answer = await client.head("/graphql", params={"query": ME}, headers={**ada.headers, "Accept": EVENTS})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == f"{EVENTS}; charset=utf-8"


async def test_mutation_changes_what_it_says(graphql: GraphQLFace, rest: RestFace, ada: Account) -> None:
    answer = await graphql.post({"query": CREATE}, ada, accept=EVENTS)
    assert answer.text == one({"data": {"createItem": {"item": {"title": "Wheel"}}}})
    assert [each["title"] for each in (await rest.ok("list_items", ada))["data"]] == ["Wheel"]


@pytest.mark.parametrize("query", ["{ me {", "{ nope }", "query($n: Int!) { users(first: $n) { nodes { id } } }"])
async def test_what_cannot_be_run_is_told_by_an_event(graphql: GraphQLFace, ada: Account, query: str) -> None:
    answer = await graphql.post({"query": query}, ada, accept=EVENTS)
    assert (answer.status_code, answer.text) == (200, one(await graphql.run(query, None, ada)))
    assert '"errors"' in answer.text


REFUSED = {
    "malformed": (b"{", 400, "bad_request"),
    "no query": (b"{}", 400, "bad_request"),
    "batch": (b'[{"query": "{ me { id } }"}]', 400, "bad_request"),
}


@pytest.mark.parametrize(("body", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_request_is_refused_by_http(
    graphql: GraphQLFace, ada: Account, body: bytes, status: int, code: str
) -> None:
    answer = await graphql.post(body, ada, accept=EVENTS)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json; charset=utf-8")
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_bad_token_is_refused_by_http(client: httpx.AsyncClient, gateway: Gateway) -> None:
    headers = {"Authorization": "Bearer nonsense", "Accept": EVENTS}
    async with unchanged(gateway):
        answer = await client.post("/graphql", json={"query": CREATE}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["errors"][0]["extensions"]["code"] == "invalid_token"


async def test_mutation_by_get_is_not_allowed(client: httpx.AsyncClient, gateway: Gateway, ada: Account) -> None:
    async with unchanged(gateway):
        answer = await client.get("/graphql", params={"query": CREATE}, headers={**ada.headers, "Accept": EVENTS})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


class Client:
    """The other side of a stream. `said` is what it has got; it goes when told to."""

    def __init__(self, *, changing: bool = False) -> None:
        self.request_context = HTTPRequestContext({"type": "http", "method": "POST"}, {}, changing)
        self.said, self.started = b"", 0
        self.gone, self.commented = asyncio.Event(), asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.started += message["type"] == "http.response.start"
        self.said += message.get("body", b"")
        if self.said.endswith(b":\n\n"):
            self.commented.set()

    async def served(self, result: Coroutine[Any, Any, ExecutionResult]) -> None:
        async with asyncio.timeout(10):
            stream = EventStream(self.request_context, self.send, lambda each: each.type is INVALID_TOKEN)
            await stream.serve(result, self.receive)


async def test_comments_keep_a_silent_stream_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.001)
    client = Client()

    async def result() -> ExecutionResult:
        await client.commented.wait()
        return ExecutionResult({"data": 1})

    await client.served(result())
    blocks = client.said.decode().split("\n\n")
    assert blocks[0] == ":"
    assert "\n\n".join(each for each in blocks if each != ":") == one({"data": 1})


async def test_problem_after_the_first_comment_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.001)
    client = Client()

    async def result() -> ExecutionResult:
        await client.commented.wait()
        raise Problem(INVALID_TOKEN)

    await client.served(result())
    assert b'"code":"invalid_token"' in client.said
    assert client.said.endswith(COMPLETE.encode())


async def test_who_leaves_breaks_the_operation_off() -> None:
    client, ended = Client(), []

    async def result() -> ExecutionResult:
        try:
            client.gone.set()
            await asyncio.Event().wait()
            return ExecutionResult({})
        except asyncio.CancelledError:
            ended.append("broken off")
            raise

    await client.served(result())
    assert (ended, client.said) == (["broken off"], b"")


async def test_what_has_begun_to_change_is_let_finish() -> None:
    client, done = Client(changing=True), []

    async def result() -> ExecutionResult:
        client.gone.set()
        for _ in range(10):
            await asyncio.sleep(0)
        done.append("changed")
        return ExecutionResult({"data": 1})

    await client.served(result())
    assert (done, client.said) == (["changed"], b"")
