"""What is refused before it is paid for: a dry run of it too, and it costs nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from services.catalogue.batches import MAX_ENTRIES
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, client_from
from tests.support.budgets import PER_MINUTE, Clock, ask, budgeted, left, problem
from tests.support.factories import unknown_id

DRY: dict[str, Any] = {"X-Dry-Run": "cost"}
CROWD = [{"delete": {"id": unknown_id("itm")}}] * (MAX_ENTRIES + 1)


@pytest.fixture(scope="module")
async def here(settings: Settings) -> AsyncIterator[Running]:
    """An application with budgets."""
    async with budgeted(settings, Clock()) as found:
        yield found


@pytest.fixture
async def ada(here: Running) -> Account:
    async with client_from(here.app) as client:
        return await sign_up(client)


async def graphql(
    here: Running, account: Account, query: str, variables: dict[str, Any] | None = None, **headers: Any
) -> httpx.Response:
    body = {"query": query, "variables": variables or {}, "extensions": {"cost": True}}
    return await here.client.post("/graphql", json=body, headers={**account.headers, **headers})


async def test_dry_run_of_nodes_is_refused_where_all_of_it_would_be(here: Running) -> None:
    async with client_from(here.app) as client:
        weak = await sign_up(client, scope="items:read")
    user, item = weak.id, unknown_id("itm")
    for query, code in (
        (f'{{ node(id: "{user}") {{ id }} }}', "insufficient_scope"),
        (f'{{ nodes(ids: ["{user}"]) {{ id }} }}', "insufficient_scope"),
        (f'{{ nodes(ids: "{user}") {{ id }} __schema {{ queryType {{ name }} }} }}', "insufficient_scope"),
        (f'{{ ... on Query {{ nodes(ids: ["x", "{user}"]) {{ id }} }} }}', "validation_failed"),
        (f"{{ nodes(ids: {json.dumps([item] * 101)}) {{ id }} }}", "validation_failed"),
        (f'query($id: ID! = "{user}") {{ node(id: $id) {{ id }} }}', "insufficient_scope"),
    ):
        found = [await graphql(here, weak, query, **headers) for headers in ({}, DRY)]
        assert [problem(each)["code"] for each in found] == [code, code], query
    among = f'{{ nodes(ids: ["{item}", "{user}"]) {{ id }} }}'
    dry = await graphql(here, weak, among, **DRY)
    assert (dry.json()["data"], dry.json()["extensions"]["cost"]) == ({}, 3)
    run = await graphql(here, weak, among)
    assert (run.json()["data"], run.json()["extensions"]["cost"]) == ({"nodes": [None, None]}, 3)
    assert [each["path"] for each in run.json()["errors"]] == [["nodes", 1]]


async def test_dry_run_judges_inputs_wherever_the_document_has_its_fields(here: Running, ada: Account) -> None:
    field = 'createItem(input: {title: ""}) { item { id } }'
    for query in (
        f"mutation {{ ... on Mutation {{ {field} }} }}",
        f"mutation {{ ...Rest }} fragment Rest on Mutation {{ {field} }}",
    ):
        found = [await graphql(here, ada, query, **headers) for headers in ({}, DRY)]
        assert [problem(each)["code"] for each in found] == ["validation_failed"] * 2
    skipped = f"mutation {{ __typename ... on Mutation @skip(if: true) {{ {field} }} }}"
    assert (await graphql(here, ada, skipped, **DRY)).json()["extensions"]["cost"] == 1


@pytest.mark.parametrize("face", ["rest", "graphql"])
@pytest.mark.parametrize("key", [None, "once"])
async def test_batch_of_too_many_entries_costs_nothing(here: Running, ada: Account, face: str, key: str | None) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    for _ in range(3):  # on GraphQL the last one may be compiled
        if face == "rest":
            path, body = "/api/v1/items/batch", {"operations": CROWD}
            answer = await here.client.post(path, json=body, headers={**ada.headers, **headers})
        else:
            query = "mutation($input: BatchItemsInput!) { batchItems(input: $input) { results { item { id } } } }"
            answer = await graphql(here, ada, query, {"input": {"operations": CROWD}}, **headers)
        found = problem(answer)
        assert (found["code"], found["errors"][0]["code"]) == ("validation_failed", "length")
        assert "x-request-cost" not in answer.headers
    assert left(await ask(here.client, "rest", ada, 9)) == PER_MINUTE - 10


async def test_batch_of_too_many_entries_beside_another_field_costs_the_others_price(
    here: Running, ada: Account
) -> None:
    query = """mutation($input: BatchItemsInput!) { batchItems(input: $input) { results { item { id } } }
        createItem(input: {title: "A"}) { item { creator { id } } } }"""
    for _ in range(3):
        answer = await graphql(here, ada, query, {"input": {"operations": CROWD}})
        assert (answer.headers["x-request-cost"], answer.json()["data"]["batchItems"]) == ("2", None)
        assert answer.json()["data"]["createItem"] == {"item": {"creator": {"id": ada.id}}}
