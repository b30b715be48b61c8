"""Apollo's automatic persisted queries: a document is sent once, and named by its hash from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from gateway.settings import Settings
from services.documents.persisted import INDEX, TEXTS
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.documents import fresh, hash_of, in_query_string, persisted_query

GRAPHQL_JSON = "application/graphql-response+json"
BOUNDS = {"PERSISTED_DOCUMENT_BYTES": 300, "PERSISTED_WRITES": "4/minute"}


@pytest.fixture(scope="module")
async def alone(settings: Settings) -> AsyncIterator[Running]:
    """An application that keeps little."""
    async with running(settings.model_copy(update=BOUNDS)) as found:
        yield found


@pytest.fixture
async def ada(alone: Running) -> Account:
    return await sign_up(alone.client)


async def send(
    worker: Running, method: str, body: dict[str, Any], account: Account | None = None, accept: str = "*/*"
) -> httpx.Response:
    """One request by either method."""
    headers = {**(account.headers if account else {}), "Accept": accept}
    if method == "GET":
        return await worker.client.get("/graphql", params=in_query_string(body), headers=headers)
    return await worker.client.post("/graphql", json=body, headers=headers)


async def is_kept(worker: Running, text: str) -> bool:
    """Whether Redis has a document."""
    from redis.asyncio import Redis

    return bool(await worker.gateway.part(Redis).hexists(TEXTS, hash_of(text)))


def error_of(answer: httpx.Response) -> tuple[str, str]:
    """Message and code of the only error."""
    (error,) = answer.json()["errors"]
    assert "data" not in answer.json()
    return error["message"], error["extensions"]["code"]


NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_document_sent_once_is_found_by_its_hash(alone: Running, ada: Account, method: str) -> None:
    text = fresh()
    unknown = await send(alone, method, persisted_query(text), ada)
    assert (unknown.status_code, error_of(unknown)) == (200, NOT_FOUND)
    assert not await is_kept(alone, text)
    for body in (persisted_query(text, send=True), persisted_query(text), persisted_query(text)):
        answer = await send(alone, method, body, ada)
        assert (answer.status_code, answer.json()) == (200, {"data": {"me": {"id": ada.id}}})
    assert await is_kept(alone, text)


async def test_other_worker_finds_it_in_redis(alone: Running, ada: Account, settings: Settings) -> None:
    text = fresh()
    await send(alone, "POST", persisted_query(text, send=True), ada)
    async with running(settings) as other:
        answer = await send(other, "GET", persisted_query(text), ada)
        assert answer.json() == {"data": {"me": {"id": ada.id}}}


async def test_variables_and_the_operations_name_come_with_the_hash(alone: Running, ada: Account) -> None:
    name = uuid4().hex
    text = f"query A{name} {{ me {{ id }} }} query B{name}($n: Int!) {{ items(first: $n) {{ nodes {{ id }} }} }}"
    more = {"variables": {"n": 1}, "operationName": f"B{name}"}
    for method, whole in (("POST", True), ("POST", False), ("GET", False)):
        answer = await send(alone, method, persisted_query(text, send=whole, **more), ada)
        assert answer.json() == {"data": {"items": {"nodes": []}}}


async def test_problem_is_a_problem_and_what_apollo_expects(alone: Running, ada: Account) -> None:
    answer = await send(alone, "POST", persisted_query(fresh()), ada, GRAPHQL_JSON)
    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"] == {
        "type": "/problems/PERSISTED_QUERY_NOT_FOUND",
        "title": "No GraphQL document is known by this hash or identifier.",
        "status": 404,
        "code": "PERSISTED_QUERY_NOT_FOUND",
        "detail": "PersistedQueryNotFound",
    }
    page = await alone.client.get(error["extensions"]["type"], headers={"Accept": "application/json"})
    assert page.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("accept", ["*/*", GRAPHQL_JSON])
async def test_wrong_hash_is_a_bad_request_and_nothing_is_kept(
    alone: Running, ada: Account, method: str, accept: str
) -> None:
    text, other = fresh(), fresh()
    body = {**persisted_query(other), "query": text}
    answer = await send(alone, method, body, ada, accept)
    assert (answer.status_code, error_of(answer)) == (400, ("The hash is not the SHA-256 of `query`.", "bad_request"))
    assert [await is_kept(alone, each) for each in (text, other)] == [False, False]


async def test_get_that_a_page_could_send_unasked_keeps_nothing(alone: Running) -> None:
    text = "{ __typename } # " + uuid4().hex
    for kept, headers in ((False, {}), (True, {"Apollo-Require-Preflight": "1"})):
        query = in_query_string(persisted_query(text, send=True))
        answer = await alone.client.get("/graphql", params=query, headers=headers)
        assert (answer.json(), await is_kept(alone, text)) == ({"data": {"__typename": "Query"}}, kept)


@pytest.mark.parametrize("version", [2, 0, "1", True, None])
@pytest.mark.parametrize("whole", [True, False])
async def test_other_versions_are_not_supported(alone: Running, ada: Account, version: Any, whole: bool) -> None:
    text = fresh()
    body = persisted_query(text, send=whole, version=version)
    answer = await send(alone, "POST", body, ada)
    expected = ("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
    assert (answer.status_code, error_of(answer)) == (400, expected)
    assert not await is_kept(alone, text)


@pytest.mark.parametrize(
    "extensions",
    [
        [], "x", 1, {"persistedQuery": []}, {"persistedQuery": "x"}, {"persistedQuery": {"version": 1}},
        {"persistedQuery": {"version": 1, "sha256Hash": ""}}, {"persistedQuery": {"version": 1, "sha256Hash": 1}},
        {"persistedQuery": {"version": 1, "sha256Hash": "a" * 301}},
    ],
    ids=str,
)  # fmt: skip
async def test_malformed_extension_is_a_bad_request(alone: Running, ada: Account, extensions: Any) -> None:
    for method in ("GET", "POST"):
        answer = await send(alone, method, {"extensions": extensions}, ada)
        assert (answer.status_code, error_of(answer)[1]) == (400, "bad_request")


async def test_extensions_of_others_are_left_alone(alone: Running, ada: Account) -> None:
    body = {"query": "{ me { id } }", "extensions": {"trace": 1, "persistedQuery": None}, "id": 7}
    assert (await send(alone, "POST", body, ada)).json() == {"data": {"me": {"id": ada.id}}}


async def test_hash_that_is_none_is_not_found(alone: Running, ada: Account) -> None:
    for name in ("bytes", "A" * 64, "é" * 64, "../x"):
        body = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": name}}}
        assert error_of(await send(alone, "POST", body, ada)) == NOT_FOUND


async def test_mutation_by_its_hash_is_run_by_post_alone(alone: Running, ada: Account) -> None:
    text = f'mutation M{uuid4().hex} {{ createItem(input: {{title: "Wheel"}}) {{ item {{ title }} }} }}'
    assert "data" in (await send(alone, "POST", persisted_query(text, send=True), ada)).json()
    answer = await send(alone, "GET", persisted_query(text), ada)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    listed = await alone.face("rest").ok("list_items", ada)
    assert [each["title"] for each in listed["data"]] == ["Wheel"]


@pytest.mark.parametrize("text", ["query {", "query N { nope }", 'query V { items(first: "x") { totalCount } }'])
async def test_what_is_not_valid_is_not_kept(alone: Running, ada: Account, text: str) -> None:
    answer = await send(alone, "POST", persisted_query(text, send=True), ada, GRAPHQL_JSON)
    assert answer.status_code in (400, 422)
    assert error_of(await send(alone, "POST", persisted_query(text), ada)) == NOT_FOUND
    assert not await is_kept(alone, text)


async def test_document_that_is_too_large_is_run_and_not_kept(alone: Running, ada: Account) -> None:
    text = fresh() + " " * 300
    answer = await send(alone, "POST", persisted_query(text, send=True), ada)
    assert answer.json() == {"data": {"me": {"id": ada.id}}}
    assert error_of(await send(alone, "POST", persisted_query(text), ada)) == NOT_FOUND


async def test_actor_who_brings_too_many_has_them_run_and_not_kept(alone: Running, ada: Account) -> None:
    texts = [fresh() for _ in range(5)]
    for text in texts:
        answer = await send(alone, "POST", persisted_query(text, send=True), ada)
        assert answer.json() == {"data": {"me": {"id": ada.id}}}
    assert [await is_kept(alone, text) for text in texts] == [True] * 4 + [False]
    bob = await sign_up(alone.client)
    await send(alone, "POST", persisted_query(texts[4], send=True), bob)
    assert await is_kept(alone, texts[4])
    # What is known counts for nobody.
    for _ in range(6):
        assert "data" in (await send(alone, "POST", persisted_query(texts[4], send=True), bob)).json()


async def test_expired_token_does_not_keep_anybody_from_signing_in(alone: Running) -> None:
    text = f"mutation L{uuid4().hex} {{ logout {{ ok }} }}"
    broken = {"Authorization": "Bearer broken"}
    answer = await alone.client.post("/graphql", json=persisted_query(text, send=True), headers=broken)
    assert answer.json()["errors"][0]["extensions"]["code"] == "invalid_token"
    login = (
        f'mutation S{uuid4().hex} {{ login(input: {{username: "nobody", password: "x"}}) {{ tokenPair {{ scope }} }} }}'
    )
    answer = await alone.client.post("/graphql", json=persisted_query(login, send=True), headers=broken)
    assert answer.json()["errors"][0]["extensions"]["code"] == "invalid_credentials"


async def test_text_in_redis_that_is_not_the_hashs_is_not_run(alone: Running, ada: Account) -> None:
    from redis.asyncio import Redis

    text = fresh()
    redis = alone.gateway.part(Redis)
    await redis.hset(TEXTS, hash_of(text), "query Other { __typename }")
    assert error_of(await send(alone, "POST", persisted_query(text), ada)) == NOT_FOUND
    await redis.delete(TEXTS, INDEX)


async def test_body_may_be_sent_as_bytes_of_any_json(alone: Running, ada: Account) -> None:
    body = orjson.dumps({"query": None, "documentId": None, "extensions": None})
    headers = {**ada.headers, "Content-Type": "application/json"}
    answer = await alone.client.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, error_of(answer)[1]) == (400, "bad_request")
