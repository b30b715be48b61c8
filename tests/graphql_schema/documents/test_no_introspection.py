"""GRAPHQL_INTROSPECTION=false: the schema is told on no way, and `__typename` on all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.settings import Settings
from services.documents.persisted import TEXTS
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.documents import document, forget_all, hash_of, in_query_string, persisted_query, register
from tests.support.sockets import connected, subscribe

ASKING = {
    "schema": "{ __schema { types { name } } }",
    "type": '{ __type(name: "Item") { fields { name } } }',
    "under another name": "{ innocent: __schema { queryType { name } } }",
    "in a fragment": "{ ...F } fragment F on Query { __schema { types { name } } }",
    "in an inline fragment": '{ ... on Query { ... { x: __type(name: "User") { name } } } }',
    "beside others": "{ me { id } __schema { types { name } } }",
    "left out by a variable": "query($no: Boolean = false) { __schema @include(if: $no) { types { name } } }",
    "in an operation that is not run": "query A { me { id } } query B { __schema { types { name } } }",
    "in a mutation": "mutation { __schema { types { name } } }",
}
NAMED = "{ __typename me { kind: __typename ...F } } fragment F on User { __typename }"
NAMES = {"__typename": "Query", "me": {"kind": "User", "__typename": "User"}}


@pytest.fixture(scope="module")
async def silent(settings: Settings) -> AsyncIterator[Running]:
    """An application that does not tell its schema, and takes batches."""
    async with running(settings.model_copy(update={"GRAPHQL_INTROSPECTION": False, "GRAPHQL_BATCH": 2})) as found:
        yield found


@pytest.fixture
async def ada(silent: Running) -> Account:
    return await sign_up(silent.client)


def refused(body: dict[str, Any]) -> None:
    (error,) = body["errors"]
    assert "data" not in body
    assert error["extensions"]["code"] == "invalid_document"
    assert "switched off" in error["message"] or 'Cannot query field "__' in error["message"]


@pytest.mark.parametrize("text", ASKING.values(), ids=ASKING)
async def test_schema_is_told_on_no_way(silent: Running, ada: Account, text: str) -> None:
    body: dict[str, Any] = {"query": text, "operationName": "A" if "query A" in text else None}
    client, headers = silent.client, ada.headers
    refused((await client.post("/graphql", json=body, headers=headers)).json())
    named = {name: each for name, each in body.items() if each}
    refused((await client.get("/graphql", params=in_query_string(named), headers=headers)).json())
    refused((await client.post("/graphql", json=body, headers={**headers, "X-Dry-Run": "cost"})).json())
    for each in (await client.post("/graphql", json=[body, body], headers=headers)).json():
        refused(each)
    async with connected(silent.app, ada.headers) as socket:
        socket.send(subscribe("1", text))
        answer = await socket.receive()
        assert answer["type"] == "error"
        assert {each["extensions"]["code"] for each in answer["payload"]} == {"invalid_document"}


async def test_schema_is_not_told_by_a_document_that_is_known_already(silent: Running, ada: Account) -> None:
    text = ASKING["schema"]
    refused((await silent.client.post("/graphql", json=persisted_query(text, send=True), headers=ada.headers)).json())
    # Another gateway, which tells it, may have kept it.
    redis = silent.gateway.part(Redis)
    await redis.hset(TEXTS, hash_of(text), text)
    try:
        refused((await silent.client.post("/graphql", json=persisted_query(text), headers=ada.headers)).json())
    finally:
        await redis.hdel(TEXTS, hash_of(text))


async def test_schema_is_not_told_by_a_trusted_or_published_document(silent: Running, ada: Account) -> None:
    text = "query Told { __schema { queryType { name } } }"
    await register(silent, document(text, "Told"), publish=("Told",))
    try:
        body = {"documentId": f"sha256:{hash_of(text)}"}
        refused((await silent.client.post("/graphql", json=body, headers=ada.headers)).json())
        answer = await silent.client.get("/api/v1/documents/Told", headers=ada.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_document")
    finally:
        await forget_all(silent)


async def test_names_of_types_are_told_on_all_ways(silent: Running, ada: Account) -> None:
    for _ in range(3):  # as the general path has it, and as it is compiled
        by_post = await silent.client.post("/graphql", json={"query": NAMED}, headers=ada.headers)
        by_get = await silent.client.get("/graphql", params={"query": NAMED}, headers=ada.headers)
        by_hash = await silent.client.post("/graphql", json=persisted_query(NAMED, send=True), headers=ada.headers)
        assert [each.json() for each in (by_post, by_get, by_hash)] == [{"data": NAMES}] * 3
    async with connected(silent.app, ada.headers) as socket:
        assert await socket.run(NAMED) == {"data": NAMES}
