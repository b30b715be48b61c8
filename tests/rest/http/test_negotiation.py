"""What clients can take and would like: `Accept`, `Prefer`, HEAD, OPTIONS."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from gateway.settings import Settings
from rest.http.negotiation import JSON, LONGEST, Preference, negotiated, weighted
from services.catalogue import Problem
from tests.support.accounts import Account
from tests.support.apps import client_from, make_app
from tests.support.faces import RestFace
from tests.support.factories import make_item, make_label, unknown_id

ACCEPTED = [
    None, "", "*/*", "application/json", "application/*", "application/json; charset=utf-8", "application/json;q=0.1",
    "application/problem+json", "APPLICATION/JSON", "text/html, application/json;q=0.5", "text/html, */*;q=0.01",
    "text/html;level=1, application/*;q=0.2, image/*", 'text/html;x="a, b;q=0", application/json', "nonsense;;,;q=",
    "application/json;q=nonsense", ", ,",
    "text/html, " * LONGEST,
]  # fmt: skip
REFUSED = [
    "text/html", "application/xml", "text/*", "application/json;q=0", "application/*;q=0", "*/*;q=0", "*/*;q=0.000",
    "*/*, application/json;q=0, application/problem+json;q=0.0", "application/*;q=0, */*", "image/png, text/html;q=0.9",
    'text/html;x="application/json"', 'text/html;x="\\", application/json"', "application/jsonx",
]  # fmt: skip


async def get(rest: RestFace, actor: Account, path: str, **headers: str) -> httpx.Response:
    return await rest.client.get(f"/api/v1{path}", headers={**actor.headers, **headers})


@pytest.mark.parametrize("accept", ACCEPTED)
def test_accept_that_covers_json_is_satisfied(accept: str | None) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert negotiated(headers) is None


@pytest.mark.parametrize("accept", REFUSED)
def test_accept_that_covers_neither_json_is_not(accept: str) -> None:
    with pytest.raises(Problem) as raised:
        negotiated([(b"accept", accept.encode())])
    assert raised.value.type.code == "not_acceptable"


def test_several_fields_are_one_list() -> None:
    assert negotiated([(b"accept", b"text/html"), (b"accept", b"application/json")]) is None
    with pytest.raises(Problem):
        negotiated([(b"accept", b"text/html"), (b"accept", b"image/png")])


def test_weights_are_read_and_what_is_malformed_is_left_out() -> None:
    found = weighted('A/b;q=0.25, c/d;x="q=0,;";Q=1.000, e/f;q=2, g/h;q=0.1234, ;q=1, i/j;q="1"')
    assert found == [("a/b", 0.25), ("c/d", 1.0)]


async def test_answer_that_nobody_wants_is_not_acceptable(rest: RestFace, ada: Account) -> None:
    for path in ("/items", f"/items/{unknown_id('itm')}", "/users/me"):
        answer = rest.read(await get(rest, ada, path, Accept="text/csv"))
        assert (answer.problem, answer.status) == ("not_acceptable", 406)


async def test_write_that_cannot_be_answered_is_not_done(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    headers = {**ada.headers, "Accept": "text/html", "Content-Type": "application/json"}
    for method, path in (("POST", "/items"), ("PATCH", f"/items/{item['id']}"), ("DELETE", f"/items/{item['id']}")):
        answer = await rest.client.request(method, f"/api/v1{path}", content=b'{"title": "Lever"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert (await rest.get("/items", ada))["data"] == [item]


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("return=minimal", Preference.MINIMAL),
        ("return=representation", Preference.REPRESENTATION),
        ('Return="minimal"; foo=bar', Preference.MINIMAL),
        ("respond-async, wait=10, return=minimal", Preference.MINIMAL),
        ("return=minimal, return=representation", Preference.MINIMAL),
        ('x="a, return=minimal", return = representation', Preference.REPRESENTATION),
        ("return=nothing", None),
        ("return", None),
        ("handling=strict", None),
        ('x="return=minimal', None),
        ("a" * LONGEST + ", return=minimal", None),
    ],
)
def test_preference_is_read(prefer: str, expected: Preference | None) -> None:
    assert negotiated([(b"accept", b"*/*"), (b"prefer", prefer.encode())]) is expected


async def write(
    rest: RestFace, actor: Account, method: str, path: str, prefer: str | None, body: bytes = b"{}"
) -> httpx.Response:
    headers = {**actor.headers, "Content-Type": "application/json", **({"Prefer": prefer} if prefer else {})}
    return await rest.client.request(method, f"/api/v1{path}", content=body, headers=headers)


async def test_minimal_create_says_where_and_no_more(rest: RestFace, ada: Account) -> None:
    answer = await write(rest, ada, "POST", "/items", "return=minimal", b'{"title": "Lever"}')
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["preference-applied"] == "return=minimal"
    assert answer.headers["vary"] == "Prefer"
    assert "content-type" not in answer.headers
    found = await rest.client.get(answer.headers["location"], headers=ada.headers)
    assert found.json()["title"] == "Lever"


async def test_minimal_update_and_action_have_no_content(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    for method, path, body in (("PATCH", "", b'{"title": "Lever"}'), ("POST", "/archive", b"{}")):
        answer = await write(rest, ada, method, f"/items/{item['id']}{path}", "return=minimal", body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (answer.headers["preference-applied"], answer.headers["vary"]) == ("return=minimal", "Prefer")
    found = await rest.ok("get_item", ada, id=item["id"])
    assert (found["title"], found["status"]) == ("Lever", "archived")


@pytest.mark.parametrize("prefer", [None, "return=representation", "return=nonsense", "handling=lenient"])
async def test_representation_is_what_comes_anyway(rest: RestFace, ada: Account, prefer: str | None) -> None:
    answer = await write(rest, ada, "POST", "/items", prefer, b'{"title": "Lever"}')
    assert (answer.status_code, answer.json()["title"], answer.headers["vary"]) == (201, "Lever", "Prefer")
    applied = "return=representation" if prefer == "return=representation" else None
    assert answer.headers.get("preference-applied") == applied


async def test_deletion_prefers_as_it_does(rest: RestFace, ada: Account) -> None:
    for prefer, applied in (("return=minimal", "return=minimal"), ("return=representation", None)):
        item = await make_item(rest, ada)
        answer = await write(rest, ada, "DELETE", f"/items/{item['id']}", prefer)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers.get("preference-applied") == applied


async def test_what_is_told_once_is_told_whatever_is_preferred(rest: RestFace, ada: Account) -> None:
    body = b'{"name": "Import", "scopes": ["items:read"]}'
    answer = await write(rest, ada, "POST", "/api-keys", "return=minimal", body)
    assert answer.status_code == 201
    assert answer.json()["secret"]
    assert "preference-applied" not in answer.headers


async def test_problem_of_a_write_is_told_whatever_is_preferred(rest: RestFace, ada: Account) -> None:
    answer = await write(rest, ada, "POST", "/items", "return=minimal", b'{"title": ""}')
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_preference_of_a_read_is_ignored(rest: RestFace, ada: Account) -> None:
    answer = await get(rest, ada, "/users/me", Prefer="return=minimal")
    assert (answer.status_code, answer.json()["id"]) == (200, ada.id)
    assert "preference-applied" not in answer.headers


async def test_head_has_exactly_the_headers_of_get(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    await make_label(rest, ada)
    for _ in range(3):
        await make_item(rest, ada, description="Of brass, with teeth. " * 30)
    for path in (
        "/items", "/items?limit=1", f"/items/{item['id']}", f"/items/{item['id']}/comments", "/users/me",
        "/openapi.json", "/items?limit=x",
    ):  # fmt: skip
        found = []
        for method in ("GET", "HEAD"):
            headers = {**ada.headers, "X-Request-ID": "one"}
            answer = await rest.client.request(method, f"/api/v1{path}", headers=headers)
            answer.headers.pop("server-timing")
            found.append((answer.status_code, answer.headers.multi_items()))
            assert int(answer.headers["content-length"]) > 0
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("path", "allow", "accepts"),
    [
        ("/api/v1/items", "GET, HEAD, OPTIONS, POST, QUERY", {"post": JSON, "query": JSON}),
        ("/api/v1/items/search", "OPTIONS, POST", {"post": "application/json"}),
        ("/api/v1/items/", "GET, HEAD, OPTIONS, POST, QUERY", {"post": JSON, "query": JSON}),
        (
            "/api/v1/items/{id}", "DELETE, GET, HEAD, OPTIONS, PATCH",
            {"patch": "application/json, application/merge-patch+json"},
        ),
        ("/api/v1/items/{id}/comments", "GET, HEAD, OPTIONS, QUERY", {"query": "application/json"}),
        ("/api/v1/items/{id}/comments/search", "OPTIONS, POST", {"post": "application/json"}),
        ("/api/v1/items/{id}/archive", "OPTIONS, POST", {"post": "application/json"}),
        ("/api/v1/users/me", "GET, HEAD, OPTIONS", {}),
        ("/api/v1/auth/login", "OPTIONS, POST", {"post": "application/json, application/x-www-form-urlencoded"}),
        ("/api/v1/openapi.json", "GET, HEAD, OPTIONS", {}),
        ("/graphql", "GET, HEAD, OPTIONS, POST", {"post": "application/json"}),
    ],
)  # fmt: skip
async def test_options_tell_methods_and_bodies(
    client: httpx.AsyncClient, path: str, allow: str, accepts: dict[str, str]
) -> None:
    answer = await client.options(path.replace("{id}", unknown_id("itm")))
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", allow)
    said = {n.removeprefix("accept-"): v for n, v in answer.headers.items() if n.startswith("accept-")}
    assert said == accepts


async def test_every_path_of_both_faces_answers_options(app: FastAPI, client: httpx.AsyncClient) -> None:
    expected: dict[str, set[str]] = {}
    for route in app.router.routes:
        if isinstance(route, Route) and (route.path == "/graphql" or route.path.startswith("/api/v1/")):
            expected.setdefault(route.path, {"OPTIONS"}).update(route.methods or ())
    assert len(expected) > 50
    for path, methods in expected.items():
        answer = await client.options(path.replace("{id}", unknown_id("itm")))
        assert (path, answer.status_code) == (path, 204)
        assert set(answer.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("path", ["/api/v1/nope", "/api/v1/items/x/y/z", "/nope", "/api/v1"])
async def test_options_of_nothing_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.options(path)).status_code == 404


async def test_preflight_is_answered_by_cors(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"BACKEND_CORS_ORIGINS": ["https://front.example"]}))
    async with client_from(app) as client:
        for method in ("QUERY", "HEAD", "PATCH"):
            headers = {"Origin": "https://front.example", "Access-Control-Request-Method": method}
            answer = await client.options("/api/v1/items", headers=headers)
            assert (answer.status_code, answer.text) == (200, "OK")
            assert method in answer.headers["access-control-allow-methods"].split(", ")
        plain = await client.options("/api/v1/items", headers={"Origin": "https://front.example"})
        assert (plain.status_code, plain.headers["access-control-allow-origin"]) == (204, "https://front.example")


@pytest.mark.parametrize(
    ("method", "path", "header", "expected"),
    [
        ("POST", "/items", "accept-post", "application/json"),
        ("PATCH", "/items/{id}", "accept-patch", "application/json, application/merge-patch+json"),
        ("POST", "/items/search", "accept-post", "application/json"),
        ("QUERY", "/items", "accept-query", "application/json"),
        ("POST", "/auth/login", "accept-post", "application/json, application/x-www-form-urlencoded"),
    ],
)
async def test_refused_media_type_says_which_is_not(
    rest: RestFace, ada: Account, method: str, path: str, header: str, expected: str
) -> None:
    address = path.replace("{id}", (await make_item(rest, ada))["id"])
    answer = await rest.send(method, address, ada, content=b"title=x", media_type="text/plain")
    assert rest.read(answer).problem == "unsupported_media_type"
    assert answer.headers[header] == expected
