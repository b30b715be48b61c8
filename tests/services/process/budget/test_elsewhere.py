"""The budget where requests come another way: published documents, GraphQL batches, WebSockets, persisted queries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from gateway.settings import Settings
from services.documents.persisted import TEXTS
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, client_from
from tests.support.budgets import PER_MINUTE, Clock, anywhere, ask, budgeted, left, problem
from tests.support.documents import document, forget_all, hash_of, persisted_query, register
from tests.support.factories import unknown_id
from tests.support.sockets import connected, socket_to, subscribe
from tests.support.state import unchanged

BOARD = "query Board($first: Int = 2) { items(first: $first) { nodes { id comments(first: 3) { nodes { id } } } } }"
ADDRESS = "/api/v1/documents/Board"
DRY = {"X-Dry-Run": "cost"}
CREATE = 'mutation { createItem(input: {title: "A"}) { item { id } } }'


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def here(settings: Settings, clock: Clock) -> AsyncIterator[Running]:
    """An application with budgets and a published document, that takes batches of five."""
    async with budgeted(settings, clock, GRAPHQL_BATCH=5) as found:
        await register(found, document(BOARD, "Board"), publish=("Board",))
        yield found
        await forget_all(found)


@pytest.fixture
async def ada(here: Running) -> Account:
    async with client_from(here.app) as client:
        return await sign_up(client)


async def board(here: Running, account: Account | None, params: str = "", **headers: str) -> httpx.Response:
    given = {**(account.headers if account is not None else {}), **headers}
    return await here.client.get(f"{ADDRESS}{params}", headers=given)


@pytest.mark.parametrize(("params", "price"), [("", 1 + 2 + 2 * 3 * 2), ("?first=5", 1 + 5 + 5 * 3 * 2)])
async def test_dry_run_of_a_published_document_tells_its_price_and_runs_nothing(
    here: Running, ada: Account, params: str, price: int
) -> None:
    dry = await board(here, ada, params, **{"X-Dry-Run": "Cost"})
    budget = {"limit": PER_MINUTE, "left": PER_MINUTE - 1, "reset": 1}
    assert (dry.status_code, dry.json()) == (200, {"cost": price, "budget": budget})
    assert (dry.headers["content-type"], dry.headers["x-request-cost"]) == ("application/json", "1")
    run = await board(here, ada, params)
    assert (run.json(), run.headers["x-request-cost"]) == ({"items": {"nodes": []}}, str(price))
    assert left(run) == PER_MINUTE - 1 - price


@pytest.mark.parametrize("value", ["nope", "", "cost, cost"])
async def test_other_dry_runs_of_a_published_document_are_refused_and_not_run(
    here: Running, ada: Account, value: str
) -> None:
    answer = await board(here, ada, **{"X-Dry-Run": value})
    assert (answer.status_code, problem(answer)["code"]) == (400, "bad_request")
    assert "x-request-cost" not in answer.headers
    assert left(await ask(here.client, "rest", ada, 9)) == PER_MINUTE - 10


async def test_dry_run_of_a_published_document_is_refused_as_the_request_would_be(here: Running, ada: Account) -> None:
    async with client_from(here.app) as client:
        weak = await sign_up(client, scope="labels:read")
    for account, params, code in (
        (None, "", "unauthenticated"), (weak, "", "insufficient_scope"), (ada, "?first=0", "validation_failed"),
        (ada, "?last=1", "validation_failed"),
    ):  # fmt: skip
        found = [await board(here, account, params, **headers) for headers in ({}, DRY)]
        assert [problem(each)["code"] for each in found] == [code, code]
        assert found[1].status_code == found[0].status_code


async def test_dry_run_of_published_nodes_is_refused_for_any_of_them(settings: Settings, clock: Clock) -> None:
    text = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    async with budgeted(settings, clock) as found:
        await register(found, document(text, "Nodes"), publish=("Nodes",))
        weak = await sign_up(found.client, scope="items:read")
        item = unknown_id("itm")

        async def ask_for(other: str, headers: dict[str, str]) -> Any:
            given, params = {**weak.headers, **headers}, {"ids": [item, other]}
            return (await found.client.get("/api/v1/documents/Nodes", params=params, headers=given)).json()

        for headers in ({}, DRY):
            malformed, foreign = await ask_for("x", headers), await ask_for(weak.id, headers)
            assert (malformed["status"], [each["field"] for each in malformed["errors"]]) == (422, ["ids[1]"])
            assert (foreign["status"], foreign["code"]) == (403, "insufficient_scope")
        assert (await ask_for(item, DRY))["cost"] == 3
        assert await ask_for(item, {}) == {"nodes": [None, None]}
        await forget_all(found)


async def test_dry_run_of_a_published_document_works_without_budgets(settings: Settings, clock: Clock) -> None:
    off = {"BUDGET_PER_MINUTE": 0, "BUDGET_ANONYMOUS_PER_MINUTE": 0}
    async with budgeted(settings, clock, **off) as found:
        await register(found, document(BOARD, "Board"), publish=("Board",))
        answer = await board(found, await sign_up(found.client), **DRY)
        await forget_all(found)
    assert (answer.status_code, answer.json()) == (200, {"cost": 15})


async def batch(here: Running, account: Account, *entries: Any, **headers: str) -> httpx.Response:
    return await here.client.post("/graphql", json=list(entries), headers={**account.headers, **headers})


def page(rows: int) -> dict[str, Any]:
    return {"query": f"{{ items(first: {rows}) {{ nodes {{ id }} }} }}", "extensions": {"cost": True}}


async def test_batch_says_what_all_of_it_was_charged(here: Running, ada: Account) -> None:
    answer = await batch(here, ada, page(9), {"query": "{ nope }"}, page(99), page(19))
    assert [each.get("extensions", {}).get("cost") for each in answer.json()] == [10, None, 100, 20]
    assert answer.headers["x-request-cost"] == "130"
    assert answer.headers["ratelimit-policy"] == f'"default";q={PER_MINUTE};w=60'
    assert left(answer) == PER_MINUTE - 130


async def test_entry_of_a_batch_that_cannot_be_paid_adds_nothing(here: Running, ada: Account) -> None:
    answer = await batch(here, ada, *[page(99)] * 5)
    assert answer.headers["x-request-cost"] == "500"
    answer = await batch(here, ada, page(79), page(99), {"query": CREATE})
    codes = [each["errors"][0]["extensions"]["code"] if "errors" in each else "done" for each in answer.json()]
    assert codes == ["done", "quota_exceeded", "done"]
    assert (answer.headers["x-request-cost"], left(answer)) == ("81", 19)


async def test_batch_names_all_budgets_that_it_was_charged_to(here: Running, ada: Account) -> None:
    login = {"query": f'mutation {{ login(input: {{username: "{ada.username}", password: "x"}}) {{ __typename }} }}'}
    async with client_from(here.app, anywhere()) as client:
        answer = await client.post("/graphql", json=[page(9), login], headers=ada.headers)
    assert answer.headers["x-request-cost"] == "60"
    assert answer.headers["ratelimit-policy"] == f'"anonymous";q=300;w=60, "default";q={PER_MINUTE};w=60'
    assert answer.headers["ratelimit"] == f'"anonymous";r=250;t=10, "default";r={PER_MINUTE - 10};t=1'


async def test_dry_run_of_a_batch_prices_each_and_runs_none(here: Running, ada: Account) -> None:
    answer = await batch(here, ada, page(9), {"query": CREATE}, **DRY)
    assert [each["extensions"]["cost"] for each in answer.json()] == [10, 1]
    assert answer.headers["x-request-cost"] == "2"
    assert (await ask(here.client, "rest", ada)).json()["data"] == []


@pytest.mark.parametrize("value", ["cost", "nope"])
async def test_handshake_of_a_socket_that_asks_for_dry_runs_is_refused(here: Running, ada: Account, value: str) -> None:
    async with socket_to(here.app, {**ada.headers, "X-Dry-Run": value}) as socket:
        assert (socket.opened["type"], socket.opened["status"]) == ("websocket.http.response.start", 400)
        body = (await socket.message())["body"]
        assert b'"code":"bad_request"' in body
        assert b"A WebSocket makes no dry runs" in body
        await socket.over()


@pytest.mark.parametrize("name", ["X-Dry-Run", "x-dry-run"])
async def test_init_of_a_socket_that_asks_for_dry_runs_closes_it(here: Running, ada: Account, name: str) -> None:
    async with unchanged(here.gateway), socket_to(here.app) as socket:
        socket.send({"type": "connection_init", "payload": {**ada.headers, name: "cost"}}, subscribe("1", CREATE))
        assert await socket.closed() == 4400


async def test_operations_of_a_socket_tell_their_price_to_whoever_asks(here: Running, ada: Account) -> None:
    async with connected(here.app, ada.headers) as socket:
        socket.send({"id": "1", "type": "subscribe", "payload": page(9)})
        answer = await socket.receive()
    budget = {"limit": PER_MINUTE, "left": PER_MINUTE - 10, "reset": 1}
    assert answer["payload"]["extensions"] == {"cost": 10, "budget": budget}


async def test_dry_run_keeps_no_document(here: Running, ada: Account) -> None:
    text = f"query Me{uuid4().hex} {{ me {{ id }} }}"
    body = persisted_query(text, send=True)
    for headers, kept in ((DRY, False), ({}, True)):
        answer = await here.client.post("/graphql", json=body, headers={**ada.headers, **headers})
        assert (answer.status_code, "errors" in answer.json()) == (200, False)
        assert await here.gateway.part(Redis).hexists(TEXTS, hash_of(text)) is kept
