"""GraphQL over HTTP: methods, media types, statuses."""

from __future__ import annotations

import httpx
import orjson
import pytest

from tests.support.accounts import Account
from tests.support.faces import GraphQLFace

GRAPHQL_JSON = "application/graphql-response+json"
ME = "{ me { id } }"


async def test_query_by_get(client: httpx.AsyncClient, ada: Account) -> None:
    params = {
        "query": "query($n: Int!) { me { id } users(first: $n) { nodes { id } } }", "variables": '{"n": 1}',
    }  # fmt: skip
    answer = await client.get("/graphql", params=params, headers=ada.headers)
    assert answer.status_code == 200
    assert answer.json()["data"]["me"] == {"id": ada.id}
    assert len(answer.json()["data"]["users"]["nodes"]) == 1


async def test_mutation_by_get_is_not_allowed_and_does_nothing(
    client: httpx.AsyncClient, graphql: GraphQLFace, ada: Account
) -> None:
    params = {"query": 'mutation { createItem(input: {title: "Wheel"}) { item { id } } }'}
    answer = await client.get("/graphql", params=params, headers=ada.headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["errors"][0]["extensions"]["code"] == "method_not_allowed"
    assert (await graphql.ok("list_items", ada))["data"] == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"query": ""},
        {"query": ME, "variables": "{"},
        {"query": ME, "variables": "[]"},
        {"query": ME, "variables": "5"},
    ],
    ids=str,
)
async def test_bad_get_is_a_bad_request(client: httpx.AsyncClient, ada: Account, params: dict[str, str]) -> None:
    answer = await client.get("/graphql", params=params, headers=ada.headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "bad_request"


FAULTS = {
    "text": ("x", "`{}` is not well-formed JSON in UTF-8."),
    "broken": ("{", "`{}` is not well-formed JSON in UTF-8."),
    "too many values": ("[" * 30_001, "`{}` may hold at most 30,000 values (commas and opening brackets)."),
    "list": ("[]", "`{}` must be an object."),
}


@pytest.mark.parametrize("name", ["variables", "extensions"])
@pytest.mark.parametrize(("text", "detail"), FAULTS.values(), ids=FAULTS)
async def test_parameter_of_a_get_is_named_that_is_at_fault(
    client: httpx.AsyncClient, ada: Account, name: str, text: str, detail: str
) -> None:
    answer = await client.get(f"/graphql?query={ME}&{name}={text}", headers=ada.headers)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (400, "bad_request")
    assert error["message"] == detail.format(name)


async def test_body_is_named_that_is_at_fault(graphql: GraphQLFace, ada: Account) -> None:
    (error,) = (await graphql.post(b"x", ada)).json()["errors"]
    assert error["message"] == "The body is not well-formed JSON in UTF-8."


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_allowed(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/graphql")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {each.strip() for each in answer.headers["allow"].split(",")}
    assert answer.json()["errors"][0]["extensions"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_taken(graphql: GraphQLFace, ada: Account, media_type: str) -> None:
    answer = await graphql.post({"query": ME}, ada, media_type=media_type)
    assert (answer.status_code, answer.json()) == (200, {"data": {"me": {"id": ada.id}}})


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"],
)
async def test_other_media_types_are_refused(graphql: GraphQLFace, ada: Account, media_type: str) -> None:
    answer = await graphql.post(orjson.dumps({"query": ME}), ada, media_type=media_type)
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(("accept", "media_type"), [("*/*", "application/json"), (GRAPHQL_JSON, GRAPHQL_JSON)])
async def test_answer_is_of_the_type_asked_for(
    graphql: GraphQLFace, ada: Account, accept: str, media_type: str
) -> None:
    answer = await graphql.post({"query": ME}, ada, accept=accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == media_type


REQUEST_ERRORS = {
    "malformed JSON": (b"{", 400),
    "no query": (b"{}", 400),
    "syntax": (b'{"query": "{ me {"}', 400),
    "unknown field": (b'{"query": "{ nope }"}', 400),
    "which operation": (b'{"query": "query A { me { id } } query B { me { id } }"}', 400),
    "missing variable": (b'{"query": "query($id: ID!) { item(id: $id) { id } }"}', 422),
    "bad variable": (b'{"query": "query($n: Int) { items(first: $n) { totalCount } }", "variables": {"n": "x"}}', 422),
}


@pytest.mark.parametrize(("body", "status"), REQUEST_ERRORS.values(), ids=REQUEST_ERRORS)
async def test_request_error_has_a_4xx_status_and_no_data(
    graphql: GraphQLFace, ada: Account, body: bytes, status: int
) -> None:
    answer = await graphql.post(body, ada, accept=GRAPHQL_JSON)
    assert (answer.status_code, set(answer.json())) == (status, {"errors"})
    assert answer.headers["content-type"].partition(";")[0] == GRAPHQL_JSON


async def test_field_error_has_status_200_and_data(graphql: GraphQLFace, ada: Account) -> None:
    body = {"query": '{ me { id } item(id: "itm_00000000000000000000000000000000") { id } }'}
    answer = await graphql.post(body, ada, accept=GRAPHQL_JSON)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"me": {"id": ada.id}, "item": None}


async def test_problem_has_the_same_members_as_on_the_other_face(
    graphql: GraphQLFace, client: httpx.AsyncClient
) -> None:
    by_rest = (await client.get("/api/v1/users/me")).json()
    (error,) = (await graphql.run(ME))["errors"]
    assert error["extensions"] == by_rest
    assert (error["message"], error["path"]) == (by_rest["detail"], ["me"])
