"""The header's key is that of the whole request: with another one, nothing is written, whatever its fields are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.documents import document, forget_all, persisted_query, register
from tests.support.faces import Face, GraphQLFace
from tests.support.factories import unique
from tests.support.keyed import code, failed, is_replay, kept, post, send, titles, told
from tests.support.state import unchanged
from tests.support.statements import statements

REUSED = "idempotency_key_reused"


@pytest.fixture(scope="module")
async def app_of_batches(settings: Settings) -> AsyncIterator[Running]:
    """An application that takes batches of three."""
    async with running(settings.model_copy(update={"GRAPHQL_BATCH": 3})) as found:
        yield found


@pytest.fixture
def batching(app_of_batches: Running) -> httpx.AsyncClient:
    """Its client."""
    return app_of_batches.client


def create(name: str, shown: str = "id", more: str = "") -> str:
    """A field that makes an item of its own name."""
    return f'{name}: createItem(input: {{title: "{name}"}}{more}) {{ item {{ {shown} }} }}'


A, B, C, D = (create(each) for each in "ABCD")
VARIED = f"mutation($t: String!) {{ {A} later: createItem(input: {{title: $t}}) {{ item {{ id }} }} }}"
INCLUDED = f'mutation($w: Boolean!) {{ {A} B: createItem(input: {{title: "B"}}) @include(if: $w) {{ item {{ id }} }} }}'
TWO = f"mutation One {{ {A} }} mutation Two {{ {B} }}"
COUNT = {"query": "{ items { totalCount } }"}


def asked(*fields: str, **variables: Any) -> dict[str, Any]:
    """A request of these fields."""
    return {"query": f"mutation {{ {' '.join(fields)} }}", "variables": variables}


def other(query: str, **variables: Any) -> dict[str, Any]:
    return {"query": query, "variables": variables}


OTHERS: dict[str, tuple[Any, Any, str]] = {
    "a field more": (asked(A), asked(A, B), "A B"),
    "a field before it": (asked(A), asked(B, A), "B A"),
    "a field less": (asked(A, B), asked(A), "A"),
    "its second field alone": (asked(A, B), asked(B), "B"),
    "other fields": (asked(A, B), asked(C, D), "C D"),
    "a third field": (asked(A, B), asked(A, B, C), "A B C"),
    "another order": (asked(A, B), asked(B, A), "B A"),
    "more shown of a field": (asked(A, B), asked(A, create("B", "id title")), "A B"),
    "another name in the answer": (asked(A, B), asked(A, B.replace("B:", "C:")), "A C"),
    "a later field by a variable": (other(VARIED, t="B"), other(VARIED, t="C"), "A later"),
    "a field more by a directive": (other(INCLUDED, w=False), other(INCLUDED, w=True), "A B"),
    "a field less by a directive": (other(INCLUDED, w=True), other(INCLUDED, w=False), "A"),
    "in a batch": (asked(A), [asked(A)], "A"),
    "not in a batch": ([asked(A)], asked(A), "A"),
    "two fields in a batch": (asked(A, B), [asked(A, B)], "A B"),
    "two fields not in a batch": ([asked(A, B)], asked(A, B), "A B"),
    "a field more in a batch": ([asked(A)], [asked(A, B)], "A B"),
    "a request more": ([asked(A)], [asked(A), asked(B)], "A B"),
    "a request less": ([asked(A), asked(B)], [asked(A)], "A"),
    "a request before it": ([asked(A)], [COUNT, asked(A)], "A"),
    "requests in another order": ([asked(A), asked(B)], [asked(B), asked(A)], "B A"),
    "other variables in a batch": ([other(VARIED, t="B")], [other(VARIED, t="C")], "A later"),
    "another operation in a batch": (
        [{"query": TWO, "operationName": "One"}], [{"query": TWO, "operationName": "Two"}], "B",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "refused"), OTHERS.values(), ids=OTHERS)
async def test_request_of_another_shape_writes_nothing(
    batching: httpx.AsyncClient, gateway: Gateway, ada: Account, first: Any, second: Any, refused: str
) -> None:
    made = await post(batching, first, ada, "k")
    assert (failed(made), is_replay(made)) == ([], False)
    async with unchanged(gateway):
        answer = await post(batching, second, ada, "k")
        again = await post(batching, first, ada, "k")
    assert failed(answer) == [(each, REUSED) for each in refused.split()]
    assert (again.content, is_replay(again)) == (made.content, True)


SPREAD = f"""mutation Named($t: String!) {{ ...Both }}
    fragment Both on Mutation {{ __typename {A} later: createItem(input: {{ title: $t }}) {{ item {{ id }} }} }}"""
SAME: dict[str, tuple[Any, Any]] = {
    "reworded": (asked(A, B), {"query": f"mutation M {{\n{A},{B}}} query Q {{ __typename }}", "operationName": "M"}),
    "a value as a variable": (asked(A, create("later").replace('"later"', '"B"')), other(VARIED, t="B", unused=1)),
    "the order of an input": (
        asked(A, 'B: createItem(input: {title: "B", priority: 2}) { item { id } }'),
        asked(A, 'B: createItem(input: {priority: 2, title: "B"}) { item { id } }'),
    ),
    "in a fragment": (other(VARIED, t="B"), other(SPREAD, t="B")),
    "one field beside a constant": (asked(A), asked(A, "__typename")),
    "in a batch, variables in another order": (
        [other(VARIED, t="B", u=1), COUNT], [other(VARIED, u=1, t="B"), COUNT],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
async def test_request_that_does_the_same_is_a_retry(
    batching: httpx.AsyncClient, gateway: Gateway, ada: Account, first: Any, second: Any
) -> None:
    made = await post(batching, first, ada, "k")
    async with unchanged(gateway):
        again = await post(batching, second, ada, "k")
    assert (failed(made), failed(again)) == ([], [])
    assert _ids(again) == _ids(made)


def _ids(answer: httpx.Response) -> Any:
    found = answer.json()
    return [
        {name: value for name, value in each["data"].items() if name != "__typename"}
        for each in (found if isinstance(found, list) else [found])
    ]


async def test_documents_are_the_same_by_hash_by_identifier_and_as_text(app_of_batches: Running, ada: Account) -> None:
    batching = app_of_batches.client
    text = f"mutation M{unique('m').replace('-', '')} {{ {A} {B} }}"
    trusted = document(text, None, id=unique("relay"), kind="mutation")
    ways: list[Any] = [
        persisted_query(text, send=True), persisted_query(text), {"query": text}, {"documentId": trusted.id},
        {"documentId": f"sha256:{persisted_query(text)['extensions']['persistedQuery']['sha256Hash']}"},
    ]  # fmt: skip
    await register(app_of_batches, trusted)
    try:
        for batch in (False, True):
            answers = [await post(batching, [COUNT, each] if batch else each, ada, f"k-{batch}") for each in ways]
            written = [each.json()[1] if batch else each.json() for each in answers]
            assert (failed(answers[0]), written[1:]) == ([], written[:1] * 4)
    finally:
        await forget_all(app_of_batches)
    assert await titles(app_of_batches.face("rest"), ada) == ["A", "A", "B", "B"]


async def test_batch_with_a_document_that_is_not_known_yet_is_sent_again_with_its_text(
    app_of_batches: Running, ada: Account
) -> None:
    text = f"mutation M{unique('m').replace('-', '')} {{ {B} }}"
    first = await post(app_of_batches.client, [asked(A), persisted_query(text), persisted_query(text)], ada, "k")
    assert [code for _, code in failed(first)] == ["PERSISTED_QUERY_NOT_FOUND"] * 2
    body = [asked(A), persisted_query(text, send=True), persisted_query(text)]
    second = await post(app_of_batches.client, body, ada, "k")
    assert (failed(second), second.json()[0]) == ([], first.json()[0])
    assert (await post(app_of_batches.client, body, ada, "k")).content == second.content
    assert await titles(app_of_batches.face("rest"), ada) == ["A", "B", "B"]


async def test_retry_over_server_sent_events_is_the_same_request(graphql: GraphQLFace, ada: Account) -> None:
    first = await post(graphql.client, asked(A, B), ada, "k")
    events = await post(graphql.client, asked(A, B), ada, "k", "text/event-stream")
    assert first.text in events.text
    refused = await post(graphql.client, asked(A, B, C), ada, "k", "text/event-stream")
    assert refused.text.count(f'"code":"{REUSED}"') == 3
    assert await titles(graphql, ada) == ["A", "B"]


@pytest.mark.parametrize("body", [asked(A, B), [asked(A)], [asked(A, B)]], ids=["fields", "batch", "both"])
async def test_key_of_a_write_of_either_face_is_used_up_for_any_other_request(
    face: Face, batching: httpx.AsyncClient, gateway: Gateway, ada: Account, body: Any
) -> None:
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key="one")
    made = await post(batching, body, ada, "two")
    async with unchanged(gateway):
        refused = await post(batching, body, ada, "one")
        assert {code for _, code in failed(refused)} == {REUSED}
        assert code(face, await send(face, "create_item", ada, {"title": "Wheel"}, key="two")) == REUSED
        assert told(await send(face, "create_item", ada, {"title": "Wheel"}, key="one")) == told(first)
        assert (await post(batching, body, ada, "two")).content == made.content


async def test_several_writes_have_a_row_more_and_three_statements_each(
    graphql: GraphQLFace, gateway: Gateway, ada: Account
) -> None:
    before = await kept(gateway)
    await post(graphql.client, asked(A, B), ada)
    with statements(gateway) as plain:
        await post(graphql.client, asked(A, B), ada)
    with statements(gateway) as keyed:
        await post(graphql.client, asked(A, B), ada, "k")
    with statements(gateway) as again:
        await post(graphql.client, asked(A, B), ada, "k")
    sweeps = [each for each in keyed if each.startswith("WITH oldest")]  # now and then one
    assert (len(keyed) - len(sweeps), len(again)) == (len(plain) + 6, 4)
    assert await kept(gateway) == before + 3
