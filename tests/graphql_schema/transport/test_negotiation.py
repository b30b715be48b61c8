"""What a request is written in, and what its answer is: `Content-Type`, `Accept`, batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from gateway.settings import Settings
from graphql_schema.transport.negotiation import Form, form_of
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.faces import GraphQLFace, RestFace
from tests.support.state import unchanged

JSON, GRAPHQL_JSON, EVENTS = "application/json", "application/graphql-response+json", "text/event-stream"
ME = "{ me { id } }"
CREATE = "mutation($title: String!) { createItem(input: {title: $title}) { item { title } } }"

ACCEPTED = {
    "*/*": JSON,
    "application/*": JSON,
    f"{GRAPHQL_JSON}": GRAPHQL_JSON,
    f"{GRAPHQL_JSON.upper()}": GRAPHQL_JSON,
    f"{GRAPHQL_JSON}; charset=utf-8, {JSON}; charset=utf-8": GRAPHQL_JSON,
    f"{JSON}, {GRAPHQL_JSON}": GRAPHQL_JSON,
    f"{GRAPHQL_JSON};q=0.5, {JSON}": JSON,
    f"{GRAPHQL_JSON}, {JSON};q=0.9": GRAPHQL_JSON,
    f"{GRAPHQL_JSON};q=0.5, */*": JSON,
    f"{JSON};q=0, */*": GRAPHQL_JSON,
    f"{JSON};q=0, application/*;q=0.1": GRAPHQL_JSON,
    f"*/*;q=0, {JSON};q=0.001": JSON,
    "text/html, application/xhtml+xml, */*;q=0.8": JSON,
    "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json": JSON,
    f"{JSON};charset=latin-1, {GRAPHQL_JSON}": GRAPHQL_JSON,
    f"{JSON} ; Q=1 ; x=y": JSON,
    f"{GRAPHQL_JSON};q=2, {JSON};q=0.1": JSON,
    f"{EVENTS}": EVENTS,
    f"{EVENTS}, {JSON};q=0.9": EVENTS,
    f"{EVENTS}, {JSON}": JSON,
    f"{GRAPHQL_JSON}, application/graphql+json, {JSON}, {EVENTS}, multipart/mixed": GRAPHQL_JSON,
    f"{EVENTS};q=0.1, */*;q=0.1": EVENTS,
    "text/*": EVENTS,
    "": JSON,
    "nonsense": JSON,
    ",": JSON,
    "text/html": None,
    "application/graphql+json": None,
    "text/*;q=0": None,
    "*/*;q=0": None,
    f"{JSON};q=0": None,
    f"{JSON};charset=latin-1": None,
    "image/*, text/html;q=0.5": None,
}


@pytest.mark.parametrize(("accept", "form"), ACCEPTED.items())
def test_form_is_the_one_that_is_wanted_most(accept: str, form: str | None) -> None:
    assert form_of(accept.encode()) is (Form(form) if form else None)


def test_without_accept_the_answer_is_json() -> None:
    assert form_of(None) is Form.PLAIN


def test_endless_accept_counts_as_absent() -> None:
    assert form_of(b"text/html, " * 1_000) is Form.PLAIN


@pytest.mark.parametrize("accept", ["text/html;q=0.1", f"{JSON};q=0"])
async def test_nothing_is_done_for_who_takes_no_answer(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, accept: str
) -> None:
    async with unchanged(gateway):
        answer = await graphql.post({"query": CREATE, "variables": {"title": "Wheel"}}, ada, accept=accept)
    assert answer.status_code == 406
    assert answer.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert answer.json()["errors"][0]["extensions"]["code"] == "not_acceptable"


async def test_several_fields_are_one_list(client: httpx.AsyncClient, ada: Account) -> None:
    headers = [("Accept", "text/html"), ("Accept", GRAPHQL_JSON), *ada.headers.items()]
    answer = await client.post("/graphql", json={"query": ME}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{GRAPHQL_JSON}; charset=utf-8"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_answer_says_what_it_depends_on(graphql: GraphQLFace, ada: Account, accept: str) -> None:
    assert (await graphql.post({"query": ME}, ada, accept=accept)).headers["vary"] == "Accept"


@pytest.mark.parametrize(
    "media_type",
    ["application/json;charset=UTF-8", 'application/json; charset="utf-8"', "application/json ; charset = utf-8",
     "application/json; x=y", "APPLICATION/JSON;CHARSET=UTF-8"],
)  # fmt: skip
async def test_json_in_utf_8_is_taken(graphql: GraphQLFace, ada: Account, media_type: str) -> None:
    assert (await graphql.post({"query": ME}, ada, media_type=media_type)).json() == {"data": {"me": {"id": ada.id}}}


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-16", "application/json;charset=iso-8859-1", "application/json; charset=",
     "application/graphql-response+json", "application/jsonp", "text/json", "application/x-json", "*/*", "json"],
)  # fmt: skip
async def test_anything_else_is_not(graphql: GraphQLFace, gateway: Gateway, ada: Account, media_type: str) -> None:
    body = {"query": CREATE, "variables": {"title": "Wheel"}}
    async with unchanged(gateway):
        answer = await graphql.post(body, ada, media_type=media_type, accept=GRAPHQL_JSON)
    assert (answer.status_code, set(answer.json())) == (415, {"errors"})
    assert answer.headers["content-type"].startswith(GRAPHQL_JSON)
    assert answer.json()["errors"][0]["extensions"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("query", [ME, "{ nope }"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, ada: Account, query: str) -> None:
    headers = {**ada.headers, "Accept": GRAPHQL_JSON}
    head = await client.head("/graphql", params={"query": query}, headers=headers)
    got = await client.get("/graphql", params={"query": query}, headers=headers)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-type", "content-length", "vary"):
        assert head.headers[name] == got.headers[name]


async def test_head_is_for_queries(client: httpx.AsyncClient, gateway: Gateway, ada: Account) -> None:
    params = {"query": 'mutation { createItem(input: {title: "Wheel"}) { item { id } } }'}
    async with unchanged(gateway):
        answer = await client.head("/graphql", params=params, headers=ada.headers)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize("value", ["x", 0, False, [], [{}]], ids=str)
@pytest.mark.parametrize("name", ["extensions", "variables"])
async def test_maps_must_be_maps(graphql: GraphQLFace, ada: Account, name: str, value: Any) -> None:
    answer = await graphql.post({"query": ME, name: value}, ada)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == f"`{name}` must be an object."


@pytest.mark.parametrize("extensions", ["{", "[]", "x", '"x"'])
async def test_extensions_by_get_are_a_json_object(client: httpx.AsyncClient, ada: Account, extensions: str) -> None:
    answer = await client.get("/graphql", params={"query": ME, "extensions": extensions}, headers=ada.headers)
    assert answer.status_code == 400
    answer = await client.get("/graphql", params={"query": ME, "extensions": '{"x": 1}'}, headers=ada.headers)
    assert answer.json() == {"data": {"me": {"id": ada.id}}}


async def test_found_outside_of_the_face_a_problem_is_of_the_type_asked_for(client: httpx.AsyncClient) -> None:
    for accept, media_type in ((GRAPHQL_JSON, GRAPHQL_JSON), ("*/*", JSON), ("text/html", JSON)):
        answer = await client.put("/graphql", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (405, media_type)


@pytest.mark.parametrize("body", [b"[]", b'[{"query": "{ me { id } }"}]', b"[1]"])
async def test_batches_are_off(graphql: GraphQLFace, ada: Account, body: bytes) -> None:
    answer = await graphql.post(body, ada)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "bad_request"


@pytest.fixture(scope="module")
async def batching(settings: Settings) -> AsyncIterator[Running]:
    """An application that takes batches of three."""
    async with running(settings.model_copy(update={"GRAPHQL_BATCH": 3})) as found:
        yield found


async def send(batching: Running, body: Any, account: Account, accept: str = "*/*") -> httpx.Response:
    face = GraphQLFace(batching.client, batching.gateway.catalogue)
    return await face.post(orjson.dumps(body), account, accept=accept)


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_JSON])
async def test_batch_is_answered_in_order(batching: Running, rest: RestFace, ada: Account, accept: str) -> None:
    count = "{ items { totalCount } }"
    batch = [{"query": count}, {"query": CREATE, "variables": {"title": "Wheel"}}, {"query": count}]
    answer = await send(batching, batch, ada, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{accept}; charset=utf-8")
    assert answer.json() == [
        {"data": {"items": {"totalCount": 0}}},
        {"data": {"createItem": {"item": {"title": "Wheel"}}}},
        {"data": {"items": {"totalCount": 1}}},
    ]
    assert [each["title"] for each in (await rest.ok("list_items", ada))["data"]] == ["Wheel"]


async def test_each_of_a_batch_fails_alone(batching: Running, ada: Account) -> None:
    answer = await send(batching, [{"query": "{ nope }"}, 1, {"query": ME}], ada)
    assert answer.status_code == 200
    bad_document, no_request, fine = answer.json()
    assert [each["errors"][0]["extensions"]["code"] for each in (bad_document, no_request)] == [
        "invalid_document", "bad_request",
    ]  # fmt: skip
    assert fine == {"data": {"me": {"id": ada.id}}}


@pytest.mark.parametrize(("length", "status", "code"), [(0, 400, "bad_request"), (4, 422, "too_complex")])
async def test_batch_of_a_wrong_length_is_refused(
    batching: Running, ada: Account, length: int, status: int, code: str
) -> None:
    batch = [{"query": CREATE, "variables": {"title": "Wheel"}}] * length
    async with unchanged(batching.gateway):
        answer = await send(batching, batch, ada)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_batch_is_no_stream(batching: Running, ada: Account) -> None:
    async with unchanged(batching.gateway):
        answer = await send(batching, [{"query": CREATE, "variables": {"title": "Wheel"}}], ada, EVENTS)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "bad_request")
