"""Trusted documents, and what each mode of GRAPHQL_DOCUMENTS runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.settings import Settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.documents import (
    ME,
    ask_again,
    document,
    forget_all,
    hash_of,
    in_query_string,
    persisted_query,
    register,
)
from tests.support.remembered import eventually

REFUSED, NOT_FOUND = "document_refused", "PERSISTED_QUERY_NOT_FOUND"
OTHER = "query Other { me { username } }"
INTROSPECTION = "query Introspection { __schema { queryType { name } } }"
RELAY = document(ME, "Me", id="0d41fbb3a1c0c1cbb8a9f9d3e1d0c111")


@pytest.fixture(scope="module")
async def workers(settings: Settings) -> AsyncIterator[dict[str, Running]]:
    """An application of each mode."""
    async with (
        running(settings) as anything,
        running(settings.model_copy(update={"GRAPHQL_DOCUMENTS": "persisted"})) as persisted,
        running(settings.model_copy(update={"GRAPHQL_DOCUMENTS": "trusted"})) as trusted,
    ):
        yield {"any": anything, "persisted": persisted, "trusted": trusted}


@pytest.fixture
async def documents(workers: dict[str, Running]) -> AsyncIterator[None]:
    """The document `Me` is trusted, under Relay's identifier."""
    await register(workers["any"], RELAY)
    for each in workers.values():
        await ask_again(each)
    yield
    await forget_all(workers["any"])


@pytest.fixture
async def ada(workers: dict[str, Running]) -> Account:
    return await sign_up(workers["any"].client)


async def post(worker: Running, body: dict[str, Any], account: Account | None = None) -> httpx.Response:
    return await worker.client.post("/graphql", json=body, headers=account.headers if account else {})


async def outcome(worker: Running, body: dict[str, Any], account: Account | None = None) -> str:
    """`data`, or the code of the first error."""
    answer = (await post(worker, body, account)).json()
    return str(answer["errors"][0]["extensions"]["code"]) if "errors" in answer else "data"


IDENTIFIED: dict[str, dict[str, Any]] = {
    "documentId": {"documentId": RELAY.id},
    "documentId by hash": {"documentId": f"sha256:{hash_of(ME)}"},
    "documentId by bare hash": {"documentId": hash_of(ME)},
    "Relay's doc_id": {"doc_id": RELAY.id},
    "Relay's id": {"id": RELAY.id},
    "Apollo's hash": persisted_query(ME),
    "Apollo's hash, of a manifest": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": RELAY.id}}},
    "Apollo's hash and the text": persisted_query(ME, send=True),
    "a manifest's hash and the text": {
        "query": ME, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": RELAY.id}},
    },
    "the text": {"query": ME},
}  # fmt: skip


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("mode", ["any", "persisted", "trusted"])
@pytest.mark.parametrize("body", IDENTIFIED.values(), ids=IDENTIFIED)
async def test_trusted_document_is_run_however_it_is_named(
    workers: dict[str, Running], ada: Account, mode: str, body: dict[str, Any]
) -> None:
    answer = await post(workers[mode], body, ada)
    assert (answer.status_code, answer.json()) == (200, {"data": {"me": {"id": ada.id}}})
    if "query" not in body:
        params = in_query_string(body)
        answer = await workers[mode].client.get("/graphql", params=params, headers=ada.headers)
        assert answer.json() == {"data": {"me": {"id": ada.id}}}
        assert await outcome(workers[mode], body) == "unauthenticated"


def brought() -> dict[str, dict[str, Any]]:
    """Documents that nobody has registered, in every way that they can be sent."""
    text = f"query U{uuid4().hex} {{ me {{ id }} }}"
    return {
        "text": {"query": text},
        "introspection": {"query": INTROSPECTION},
        "nearly the text": {"query": ME + " "},
        "hash": persisted_query(text),
        "identifier": {"documentId": "unknown"},
        "both": persisted_query(text, send=True),
    }


EXPECTED = {
    "any": ["data", "data", "data", NOT_FOUND, NOT_FOUND, "data"],
    "persisted": [REFUSED, REFUSED, REFUSED, NOT_FOUND, NOT_FOUND, "data"],
    "trusted": [REFUSED] * 6,
}


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("mode", EXPECTED)
async def test_unknown_document_is_run_as_the_mode_says(workers: dict[str, Running], ada: Account, mode: str) -> None:
    found = [await outcome(workers[mode], body, ada) for body in brought().values()]
    assert found == EXPECTED[mode]


async def test_persisted_keeps_documents_of_those_who_are_signed_in(workers: dict[str, Running], ada: Account) -> None:
    text = f"query P{uuid4().hex} {{ me {{ id }} }}"
    worker = workers["persisted"]
    assert await outcome(worker, persisted_query(text, send=True)) == "unauthenticated"
    assert await outcome(worker, persisted_query(text), ada) == NOT_FOUND
    assert await outcome(worker, persisted_query(text, send=True), ada) == "data"
    # Known by now, so that it is run: and there nobody is signed in.
    answer = (await post(worker, persisted_query(text))).json()
    assert answer["data"] == {"me": None}


@pytest.mark.parametrize("headers", [{}, {"Apollo-Require-Preflight": "1"}], ids=["plain", "marked"])
async def test_persisted_runs_nothing_new_that_strangers_send_by_get(
    workers: dict[str, Running], ada: Account, headers: dict[str, str]
) -> None:
    worker, text = workers["persisted"], f"query G{uuid4().hex} {{ __typename }}"
    params = in_query_string(persisted_query(text, send=True))
    answer = await worker.client.get("/graphql", params=params, headers=headers)
    assert answer.json()["errors"][0]["extensions"]["code"] == "unauthenticated"
    assert await outcome(worker, persisted_query(text), ada) == NOT_FOUND
    answer = await worker.client.get("/graphql", params=params, headers={**headers, **ada.headers})
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_persisted_prices_a_new_document_without_keeping_it(workers: dict[str, Running], ada: Account) -> None:
    worker, text = workers["persisted"], f"query D{uuid4().hex} {{ me {{ id }} }}"
    for account, expected in ((None, "unauthenticated"), (ada, 1)):
        headers = {**(account.headers if account else {}), "X-Dry-Run": "cost"}
        answer = (await worker.client.post("/graphql", json=persisted_query(text, send=True), headers=headers)).json()
        found = answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["extensions"]["cost"]
        assert found == expected
    assert await outcome(worker, persisted_query(text), ada) == NOT_FOUND


async def test_persisted_refuses_what_it_may_not_keep(settings: Settings) -> None:
    bounds = {"GRAPHQL_DOCUMENTS": "persisted", "PERSISTED_DOCUMENT_BYTES": 100, "PERSISTED_WRITES": "1/minute"}
    async with running(settings.model_copy(update=bounds)) as worker:
        ada = await sign_up(worker.client)
        large = f"query L{uuid4().hex} {{ me {{ id }} }}" + " " * 100
        assert await outcome(worker, persisted_query(large, send=True), ada) == REFUSED
        first, second = (f"query F{uuid4().hex} {{ me {{ id }} }}" for _ in range(2))
        assert await outcome(worker, persisted_query(first, send=True), ada) == "data"
        answer = await post(worker, persisted_query(second, send=True), ada)
        assert answer.json()["errors"][0]["extensions"]["code"] == "too_many_requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert await outcome(worker, persisted_query(second), ada) == NOT_FOUND


async def test_introspection_is_run_where_it_is_registered(workers: dict[str, Running], ada: Account) -> None:
    worker = workers["trusted"]
    assert await outcome(worker, {"query": INTROSPECTION}, ada) == REFUSED
    await register(worker, document(INTROSPECTION, "Introspection"))
    try:
        answer = await post(worker, {"query": INTROSPECTION})
        assert answer.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
    finally:
        await forget_all(worker)


async def test_what_clients_persisted_is_not_trusted(workers: dict[str, Running], ada: Account) -> None:
    text = f"query C{uuid4().hex} {{ me {{ id }} }}"
    assert await outcome(workers["any"], persisted_query(text, send=True), ada) == "data"
    assert await outcome(workers["trusted"], persisted_query(text), ada) == REFUSED
    assert await outcome(workers["trusted"], {"documentId": f"sha256:{hash_of(text)}"}, ada) == REFUSED


async def test_refused_mutation_changes_nothing(workers: dict[str, Running], ada: Account) -> None:
    body = {"query": 'mutation { createItem(input: {title: "Wheel"}) { item { id } } }'}
    for mode in ("persisted", "trusted"):
        answer = await post(workers[mode], body, ada)
        assert answer.json()["errors"][0]["extensions"]["code"] == REFUSED
        assert "data" not in answer.json()
    assert (await workers["any"].face("rest").ok("list_items", ada))["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"query": ME, "documentId": RELAY.id}, {"documentId": 1}, {"documentId": ""}, {"documentId": "a" * 301},
        {"doc_id": []}, {"id": {}},
    ],
    ids=str,
)  # fmt: skip
async def test_malformed_identifier_is_a_bad_request(
    workers: dict[str, Running], ada: Account, body: dict[str, Any]
) -> None:
    answer = await post(workers["any"], body, ada)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "bad_request")


async def test_workers_learn_of_documents_within_a_second_without_being_told(
    workers: dict[str, Running], ada: Account
) -> None:
    worker = workers["trusted"]
    await outcome(worker, {"query": OTHER}, ada)  # asks just before
    await register(workers["any"], document(OTHER, "Other"))

    async def is_run() -> bool:
        return await outcome(worker, {"query": OTHER}, ada) == "data"

    await eventually(is_run, 2)
    await forget_all(workers["any"])

    async def is_refused() -> bool:
        return not await is_run()

    await eventually(is_refused, 2)


async def test_nobody_asks_for_trusted_documents_where_any_is_run(workers: dict[str, Running], ada: Account) -> None:
    worker = workers["any"]
    await ask_again(worker)
    assert await outcome(worker, {"query": OTHER}, ada) == "data"
    from services.documents.trusted import TrustedDocuments

    assert worker.gateway.part(TrustedDocuments)._refreshed_at == float("-inf")


async def test_graphiql_is_there_in_every_mode_and_says_what_is_run(workers: dict[str, Running]) -> None:
    for mode, worker in workers.items():
        page = await worker.client.get("/graphql", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (f"GRAPHQL_DOCUMENTS={mode}" in page.text) is (mode != "any")
