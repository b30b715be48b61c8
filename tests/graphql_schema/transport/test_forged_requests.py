"""What a browser sends for a page of another origin, without asking first (docs/decisions/0013)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx
import orjson
import pytest

from gateway.settings import Settings
from graphql_schema.transport.origins import is_preflighted
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.apps import Running, running
from tests.support.state import unchanged

TYPENAME = "{ __typename }"
CREATE = (
    'mutation { createUser(input: {username: "forged", email: "f@example.com", password: "correct horse"}) '
    "{ user { id } } }"
)
FORMS = [
    "text/plain",
    "text/plain;charset=UTF-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
]

FOREIGN: dict[str, Mapping[str, str]] = {
    "fetch": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    "image": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "sibling": {"Sec-Fetch-Site": "same-site"},
    "old browser": {"Origin": "https://evil.example"},
    "sandbox": {"Origin": "null"},
    "empty marks": {
        "Origin": "https://evil.example", "X-Requested-With": "", "Apollo-Require-Preflight": " ",
        "X-Apollo-Operation-Name": "",
    },
}  # fmt: skip
LINK: Mapping[str, str] = {
    "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html, */*;q=0.8",
}  # fmt: skip
OWN: dict[str, Mapping[str, str]] = {
    "program": {},
    "address bar": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    "own page": {"Sec-Fetch-Site": "same-origin"},
    "own page by name": {"Origin": "http://gateway.test", "Sec-Fetch-Site": "same-origin"},
    "allowed page": {"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"},
}
MARKS = {
    "X-Apollo-Operation-Name": "Typename",
    "Apollo-Require-Preflight": "true",
    "X-Requested-With": "XMLHttpRequest",
}


@pytest.fixture(scope="module")
async def allowing(settings: Settings) -> AsyncIterator[Running]:
    """An application that pages of one origin may call."""
    origins = {"BACKEND_CORS_ORIGINS": ["https://app.example.org"]}
    async with running(settings.model_copy(update=origins)) as found:
        yield found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_query_for_a_foreign_page_is_refused(allowing: Running, method: str, headers: Mapping[str, str]) -> None:
    answer = await allowing.client.request(method, "/graphql", params={"query": TYPENAME}, headers=headers)
    assert answer.status_code == 403
    if method == "GET":
        assert code(answer) == (403, "csrf_suspected")


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_stream_for_a_foreign_page_is_refused(allowing: Running, headers: Mapping[str, str]) -> None:
    everything = {**headers, "Accept": "text/event-stream"}
    answer = await allowing.client.get("/graphql", params={"query": TYPENAME}, headers=everything)
    assert code(answer) == (403, "csrf_suspected")


@pytest.mark.parametrize("media_type", [*FORMS, ""])
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_form_of_a_foreign_page_is_refused(
    allowing: Running, gateway: Gateway, headers: Mapping[str, str], media_type: str
) -> None:
    everything = {**headers, **({"Content-Type": media_type} if media_type else {})}
    async with unchanged(gateway):
        answer = await allowing.client.post("/graphql", content=orjson.dumps({"query": CREATE}), headers=everything)
    assert code(answer) == (403, "csrf_suspected")


@pytest.mark.parametrize("media_type", FORMS)
@pytest.mark.parametrize("headers", [{}, MARKS], ids=["bare", "marked"])
async def test_form_is_refused_whoever_sends_it(
    allowing: Running, gateway: Gateway, headers: Mapping[str, str], media_type: str
) -> None:
    everything = {**headers, "Content-Type": media_type}
    async with unchanged(gateway):
        answer = await allowing.client.post("/graphql", content=orjson.dumps({"query": CREATE}), headers=everything)
    assert code(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
async def test_query_of_ones_own_is_answered(allowing: Running, headers: Mapping[str, str]) -> None:
    answer = await allowing.client.get("/graphql", params={"query": TYPENAME}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize("name", [*MARKS, "Content-Type"])
async def test_what_was_preflighted_is_answered(allowing: Running, name: str) -> None:
    headers = {**FOREIGN["fetch"], name: MARKS.get(name, "application/json")}
    answer = await allowing.client.get("/graphql", params={"query": TYPENAME}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


async def test_credentials_are_sent_after_a_preflight_only(allowing: Running, ada: Account) -> None:
    headers = {**FOREIGN["fetch"], **ada.headers}
    answer = await allowing.client.get("/graphql", params={"query": "{ me { id } }"}, headers=headers)
    assert answer.json() == {"data": {"me": {"id": ada.id}}}


async def test_json_of_a_foreign_page_was_preflighted(allowing: Running) -> None:
    headers = FOREIGN["fetch"]
    answer = await allowing.client.post("/graphql", json={"query": TYPENAME}, headers=headers)
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("query", [None, TYPENAME, CREATE])
async def test_page_is_shown_to_who_follows_a_link_and_runs_nothing(
    allowing: Running, gateway: Gateway, query: str | None
) -> None:
    async with unchanged(gateway):
        answer = await allowing.client.get("/graphql", params={"query": query} if query else {}, headers=LINK)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '"data"' not in answer.text


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({b"content-type": b"text/plain"}, False),
        ({b"content-type": b"TEXT/PLAIN; application/json"}, False),
        ({b"content-type": b""}, False),
        ({b"x-requested-with": b" "}, False),
        ({b"accept": b"application/json", b"user-agent": b"x"}, False),
        ({b"content-type": b"application/json"}, True),
        ({b"x-requested-with": b"x"}, True),
        ({b"apollo-require-preflight": b"1"}, True),
        ({b"x-apollo-operation-name": b"Q"}, True),
        ({b"authorization": b"Bearer x"}, True),
        ({b"x-api-key": b"hgw_x"}, True),
    ],
    ids=str,
)
def test_preflighted_is_what_no_form_can_send(headers: Mapping[bytes, bytes], expected: bool) -> None:
    assert is_preflighted(headers) is expected
