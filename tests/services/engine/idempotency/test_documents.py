"""Idempotency keys in documents: an argument of each field, and the header for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_in
from tests.support.apps import Running, running
from tests.support.faces import GraphQLFace, RestFace
from tests.support.factories import make_item
from tests.support.keyed import titles
from tests.support.state import unchanged

ONE = "mutation($i: CreateItemInput!, $k: String) { createItem(input: $i, idempotencyKey: $k) { item { id title } } }"
WHEEL = {"title": "Wheel"}


async def post(
    face: GraphQLFace, query: str, variables: dict[str, Any], actor: Account, key: str | None = None
) -> httpx.Response:
    """A document, perhaps with the header."""
    headers = {**actor.headers, **({"Idempotency-Key": key} if key is not None else {})}
    return await face.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


def codes(answer: httpx.Response) -> list[tuple[str, str]]:
    """The fields that failed, and why."""
    return [(each["path"][0], each["extensions"]["code"]) for each in answer.json().get("errors", [])]


async def test_argument_is_the_key_of_its_field(graphql: GraphQLFace, ada: Account) -> None:
    first = await post(graphql, ONE, {"i": WHEEL, "k": "a"}, ada)
    again = await post(graphql, ONE, {"i": WHEEL, "k": "a"}, ada)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    literal = 'mutation { createItem(idempotencyKey: "a", input: {title: "Wheel"}) { item { id title } } }'
    assert (await post(graphql, literal, {}, ada)).content == first.content
    assert (await post(graphql, ONE, {"i": WHEEL}, ada, "a")).content == first.content
    assert codes(await post(graphql, ONE, {"i": {"title": "Axle"}, "k": "a"}, ada)) == [
        ("createItem", "idempotency_key_reused")
    ]
    assert await titles(graphql, ada) == ["Wheel"]
    for _ in range(2):
        await post(graphql, ONE, {"i": WHEEL, "k": None}, ada)
    assert await titles(graphql, ada) == ["Wheel"] * 3


async def test_argument_wins_over_the_header(graphql: GraphQLFace, ada: Account) -> None:
    first = await post(graphql, ONE, {"i": WHEEL, "k": "a"}, ada, "h")
    assert (await post(graphql, ONE, {"i": WHEEL, "k": "a"}, ada)).content == first.content
    other = await post(graphql, ONE, {"i": {"title": "Axle"}}, ada, "h")
    assert (codes(other), "idempotency-replayed" in other.headers) == ([], False)


async def test_argument_that_is_no_key_is_named(graphql: GraphQLFace, gateway: Gateway, ada: Account) -> None:
    async with unchanged(gateway):
        for key in ("", "x" * 256, "é", "a\n", "\x00"):
            answer = await post(graphql, ONE, {"i": WHEEL, "k": key}, ada)
            assert codes(answer) == [("createItem", "validation_failed")]
            assert answer.json()["errors"][0]["extensions"]["errors"][0]["field"] == "idempotencyKey"
        typed = await post(graphql, ONE, {"i": WHEEL, "k": 7}, ada)
        assert typed.json()["errors"][0]["extensions"]["code"] == "validation_failed"


async def test_each_field_of_a_document_is_made_once(graphql: GraphQLFace, ada: Account) -> None:
    text = """mutation($t: String!) { a: createItem(input: {title: "A"}) { item { id } }
        b: createItem(input: {title: $t}) { item { id } } __typename }"""
    first = await post(graphql, text, {"t": ""}, ada, "h")
    assert codes(first) == [("b", "validation_failed")]
    again = await post(graphql, text, {"t": ""}, ada, "h")
    assert (codes(again), again.json()["data"]) == (codes(first), first.json()["data"])
    # With other variables it is another request, also for the field that failed.
    second = await post(graphql, text, {"t": "B"}, ada, "h")
    assert codes(second) == [("a", "idempotency_key_reused"), ("b", "idempotency_key_reused")]
    assert await titles(graphql, ada) == ["A"]
    third = await post(graphql, text, {"t": "B"}, ada, "i")
    assert (codes(third), "idempotency-replayed" in third.headers) == ([], False)
    again = await post(graphql, text, {"t": "B"}, ada, "i")
    assert (again.content, again.headers["idempotency-replayed"]) == (third.content, "true")
    assert await titles(graphql, ada) == ["A", "A", "B"]


async def test_one_key_twice_in_a_document_is_one_write(graphql: GraphQLFace, ada: Account) -> None:
    text = """mutation { a: createItem(input: {title: "A"}, idempotencyKey: "k") { item { id } }
        b: createItem(input: {title: "A"}, idempotencyKey: "k") { item { id } }
        c: createItem(input: {title: "C"}, idempotencyKey: "k") { item { id } } }"""
    answer = await post(graphql, text, {}, ada)
    data = answer.json()["data"]
    assert (codes(answer), data["a"] == data["b"], data["c"]) == ([("c", "idempotency_key_reused")], True, None)
    assert await titles(graphql, ada) == ["A"]


SELECTIONS = """
mutation($i: CreateItemInput!, $n: Int, $w: Boolean!) {
    createItem(input: $i) { item { ...Shown comments(first: $n) { nodes { id } } } }
}
fragment Shown on Item { id title @include(if: $w) }
"""


async def test_what_is_selected_is_part_of_the_request(graphql: GraphQLFace, gateway: Gateway, ada: Account) -> None:
    given = {"i": WHEEL, "n": 3, "w": True}
    first = await post(graphql, SELECTIONS, given, ada, "h")
    assert (await post(graphql, SELECTIONS, given, ada, "h")).content == first.content
    assert first.json()["data"]["createItem"]["item"]["title"] == "Wheel"
    async with unchanged(gateway):
        for text, variables in (
            (SELECTIONS, {**given, "n": 4}), (SELECTIONS, {**given, "w": False}),
            (SELECTIONS.replace("id title", "id status"), given),
            (SELECTIONS.replace("nodes {", "nodes { body"), given),
        ):  # fmt: skip
            assert codes(await post(graphql, text, variables, ada, "h")) == [("createItem", "idempotency_key_reused")]
    reworded = SELECTIONS.replace("createItem(", "made: createItem(").replace("    ", "  ").replace("$i", "$j")
    answer = await post(graphql, reworded, {"j": WHEEL, "n": 3, "w": True}, ada, "h")
    assert answer.json()["data"]["made"] == first.json()["data"]["createItem"]


async def test_header_is_ignored_where_nothing_is_changed(graphql: GraphQLFace, ada: Account) -> None:
    for key in ("h", '"', ""):
        answer = await post(graphql, "query { me { id } }", {}, ada, key)
        assert answer.json() == {"data": {"me": {"id": ada.id}}}
        read = await graphql.client.get(
            "/graphql", params={"query": "{ me { id } }"}, headers={**ada.headers, "Idempotency-Key": key}
        )
        assert read.json() == answer.json()
    refused = await graphql.client.get(
        "/graphql", params={"query": "mutation { logout { ok } }"}, headers={**ada.headers, "Idempotency-Key": "h"}
    )
    assert refused.status_code == 405


async def test_with_a_key_what_cannot_be_shown_is_told_before_anything_is_done(
    graphql: GraphQLFace, gateway: Gateway, client: httpx.AsyncClient, ada: Account
) -> None:
    tokens = await sign_in(client, ada.username, ada.password, scope="items:write items:read")
    poor = Account(ada.id, ada.username, ada.password, tokens)
    item = await make_item(graphql, ada)
    nested = "mutation($i: CreateItemInput!) { createItem(input: $i) { item { id comments(%s) { nodes { id } } } } }"
    async with unchanged(gateway):
        answer = await post(graphql, nested % "first: 2", {"i": WHEEL}, poor, "h")
        assert codes(answer) == [("createItem", "insufficient_scope")]
        for wrong in ('after: "nonsense"', "first: 0"):
            answer = await post(graphql, nested % wrong, {"i": WHEEL}, ada, "h")
            assert codes(answer) == [("createItem", "validation_failed")]
        many = {"title": "Wheel", "labelIds": [item["id"]] * 300}
        assert codes(await post(graphql, ONE, {"i": many}, ada, "h")) == [("createItem", "validation_failed")]
        open_to_all = "mutation($i: CreateUserInput!) { createUser(input: $i) { user { apiKeys { nodes { id } } } } }"
        person = {"email": "somebody@example.com", "username": "somebody-else", "password": "correct horse"}
        answer = await post(graphql, open_to_all, {"i": person}, ada, "h")
        assert codes(answer) == [("createUser", "idempotency_unsupported")]


OTHERWISE = [{"COMPILED_READS": False}, {"PLAN_ON_SIGHT": 2}, {"PLAN_ON_SIGHT": 2, "PLAN_CACHE_SIZE": 1}]


@pytest.fixture(scope="module", params=OTHERWISE)
async def otherwise(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Running]:
    """A gateway without the Reader, or one that does not plan what it sees for the first time."""
    async with running(settings.model_copy(update=request.param)) as found:
        yield found


async def test_keys_hold_on_every_path(otherwise: Running, graphql: GraphQLFace, rest: RestFace, ada: Account) -> None:
    face, text = GraphQLFace(otherwise.client, otherwise.gateway.catalogue), SELECTIONS
    given = {"i": WHEEL, "n": 3, "w": True}
    first = await post(face, text, given, ada, "h")
    assert first.json()["data"]["createItem"]["item"]["comments"] == {"nodes": []}
    for _ in range(3):
        assert (await post(face, text, given, ada, "h")).content == first.content
    assert (await post(graphql, text, given, ada, "h")).content == first.content
    # The same document without the key is planned, or goes down the general path, as any other.
    for number in range(3):
        answer = await post(face, ONE, {"i": {"title": f"{number}"}}, ada)
        assert codes(answer) == []
        argument = {"i": {"title": f"k{number}"}, "k": f"k{number}"}
        assert (await post(face, ONE, argument, ada)).content == (await post(face, ONE, argument, ada)).content
    assert await titles(rest, ada) == ["0", "1", "2", "Wheel", "k0", "k1", "k2"]
