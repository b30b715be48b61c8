"""Searches with a JSON body: by QUERY (RFC 10008) and by POST, the same as the list that the query string asks for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from fastapi import FastAPI

from rest.routes import RestRoute, query_of, rest_routes
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.apps import make_admin
from tests.support.faces import RestFace
from tests.support.factories import Team, make_comment, make_item, make_key, make_label, make_team, unknown_id
from tests.support.statements import statements

WAYS = {"QUERY": "", "POST": "/search"}

SEARCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("", {}),
    "null": ("", {"limit": None, "after": None, "filter": None, "fields": None}),
    "page": ("limit=2&skip=1&count=true", {"limit": 2, "skip": 1, "count": True}),
    "order": ("sort=-priority,title", {"sort": ["-priority", "title"]}),
    "filter": ("priority[gte]=1&status[in]=open,done",
               {"filter": {"priority": {"gte": 1}, "status": {"in": ["open", "done"]}}}),
    "tree": ('filter={"or":[{"priority":{"eq":2}},{"not":{"title":{"contains":"e"}}}]}',
             {"filter": {"or": [{"priority": {"eq": 2}}, {"not": {"title": {"contains": "e"}}}]}}),
    "words": ("q=lever -rain", {"q": "lever -rain"}),
    "fields": ("fields=id,title,labels.name&include=labels",
               {"fields": ["id", "title", "labels.name"], "include": ["labels"]}),
    "empty lists": ("", {"fields": [], "sort": [], "include": []}),
}  # fmt: skip

FAULTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "unknown": ({"status": {"eq": "open"}, "nope": 1}, {"status": "unknown", "nope": "unknown"}),
    "a text for a number": ({"limit": "2"}, {"limit": "type"}),
    "a boolean for a number": ({"limit": True}, {"limit": "type"}),
    "a number out of range": ({"limit": 101}, {"limit": "range"}),
    "a number beyond all range": ({"skip": 2**63}, {"skip": "range"}),
    "a text for a boolean": ({"count": "true"}, {"count": "type"}),
    "an empty list for a number": ({"limit": []}, {"limit": "type"}),
    "a text for a list": ({"sort": "title"}, {"sort": "type"}),
    "a list of numbers": ({"fields": ["id", 1]}, {"fields[1]": "type"}),
    "two names in one": ({"fields": ["id,title"]}, {"fields[0]": "format"}),
    "too many": ({"include": ["labels"] * 201}, {"include": "length"}),
    "an unknown order": ({"sort": ["title", "nope"]}, {"sort[1]": "choice"}),
    "an unknown field": ({"fields": ["id", "nope"]}, {"fields[1]": "unknown"}),
    "an unknown relation": ({"include": ["nope"]}, {"include[0]": "unknown"}),
    "a filter that is a text": ({"filter": '{"status": 1}'}, {"filter": "type"}),
    "an unknown operator": ({"filter": {"status": {"like": "x"}}}, {"filter.status.like": "unknown"}),
    "a value of the wrong type": ({"filter": {"status": {"in": ["open", 7]}}}, {"filter.status.in[1]": "choice"}),
    "NUL": ({"q": "a\x00"}, {"q": "format"}),
    "both ways of paging": ({"after": "x", "skip": 1}, {"skip": "conflict"}),
}


async def search(rest: RestFace, actor: Account | None, method: str, path: str, body: Any) -> httpx.Response:
    """A search of a list by either way."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return await rest.send(method, path + WAYS[method], actor, content=content)


@pytest.fixture
async def shelf(rest: RestFace, ada: Account) -> Account:
    """Ada, with some items to search for."""
    label = await make_label(rest, ada)
    await make_item(rest, ada, "Wheel", priority=2, label_ids=[label["id"]])
    await make_item(rest, ada, "Lever of brass", priority=1)
    await make_item(rest, ada, "Lever in the rain", priority=3)
    await make_item(rest, ada, "Cog")
    return ada


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize(("query", "body"), SEARCHES.values(), ids=SEARCHES)
async def test_search_is_the_list_of_the_same_arguments(
    rest: RestFace, shelf: Account, method: str, query: str, body: dict[str, Any]
) -> None:
    listed = await rest.send("GET", "/items", shelf, params=dict(httpx.QueryParams(query)))
    found = await search(rest, shelf, method, "/items", body)
    assert (found.status_code, found.json()) == (200, listed.json())
    assert found.headers["content-type"] == listed.headers["content-type"]
    assert found.headers.get("accept-query") == ("application/json" if method == "QUERY" else None)
    assert listed.headers["accept-query"] == "application/json"


@pytest.mark.parametrize("method", WAYS)
async def test_search_is_paged_to_its_end(rest: RestFace, shelf: Account, method: str) -> None:
    titles, cursor = [], None
    while True:
        page = (await search(rest, shelf, method, "/items", {"limit": 3, "sort": ["title"], "after": cursor})).json()
        titles += [each["title"] for each in page["data"]]
        cursor = page["page"]["next"]
        if cursor is None:
            break
    assert titles == ["Cog", "Lever in the rain", "Lever of brass", "Wheel"]


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize(("body", "errors"), FAULTS.values(), ids=FAULTS)
async def test_fault_of_a_search_names_the_member(
    rest: RestFace, ada: Account, method: str, body: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = rest.read(await search(rest, ada, method, "/items", body))
    assert (answer.problem, answer.errors) == ("validation_failed", errors)


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b"{", b'"x"', b"\xff", b"[" * 100_000])
async def test_body_that_is_no_object_is_refused(rest: RestFace, ada: Account, method: str, body: bytes) -> None:
    answer = rest.read(await search(rest, ada, method, "/items", body))
    assert (answer.problem, answer.status) == ("bad_request", 400)


@pytest.mark.parametrize("method", WAYS)
async def test_filter_without_end_is_refused(rest: RestFace, ada: Account, method: str) -> None:
    deep = b'{"filter": ' + b'{"not": ' * 400 + b"{}" + b"}" * 400 + b"}"
    assert rest.read(await search(rest, ada, method, "/items", deep)).problem == "validation_failed"


@pytest.mark.parametrize("method", WAYS)
async def test_arguments_are_in_the_body_or_nowhere(rest: RestFace, ada: Account, method: str) -> None:
    answer = rest.read(await rest.send(method, f"/items{WAYS[method]}?limit=1", ada, content=b"{}"))
    assert (answer.problem, answer.errors) == ("validation_failed", {"limit": "unknown"})


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
async def test_search_is_json(rest: RestFace, ada: Account, media_type: str) -> None:
    for method, way in WAYS.items():
        answer = await rest.send(method, f"/items{way}", ada, content=b"{}", media_type=media_type)
        assert rest.read(answer).problem == "unsupported_media_type"
    typed = await rest.send("QUERY", "/items", ada, content=b"{}", media_type="Application/JSON; charset=utf-8")
    assert typed.status_code == 200


async def test_query_without_content_is_no_query(rest: RestFace, ada: Account) -> None:
    answer = await rest.send("QUERY", "/items", ada, media_type="")
    assert rest.read(answer).problem == "unsupported_media_type"
    assert (await rest.send("POST", "/items/search", ada, media_type="")).status_code == 200


@pytest.mark.parametrize("path", ["/items/{id}", "/users/me", "/auth/login", "/items/{id}/archive", "/items/search"])
async def test_what_is_no_list_takes_no_query(rest: RestFace, ada: Account, path: str) -> None:
    answer = await rest.send("QUERY", path.replace("{id}", unknown_id("itm")), ada, content=b"{}")
    assert answer.status_code == 405


def lists(gateway: Gateway) -> list[RestRoute]:
    """Every list, and every relation with many rows."""
    found = [each for each in rest_routes(gateway.catalogue) if query_of(each) is not None]
    assert len(found) > 20
    return found


def test_every_list_has_its_search(gateway: Gateway) -> None:
    searches = {each.path for each in rest_routes(gateway.catalogue) if each.is_search}
    assert searches == {f"{each.path}/search" for each in lists(gateway)}


async def test_search_shows_every_role_what_the_list_does(
    rest: RestFace, client: httpx.AsyncClient, gateway: Gateway
) -> None:
    team: Team = await make_team(client, rest)
    label = await make_label(rest, team.owner, workspace_id=team.id)
    item = await make_item(rest, team.owner, workspace_id=team.id, label_ids=[label["id"]])
    comment = await make_comment(rest, team.editor, item)
    rows = {"wsp": team.id, "itm": item["id"], "lbl": label["id"], "cmt": comment["id"], "usr": team.editor.id}
    key = await make_key(rest, team.owner, name="Items only", scopes=["items:read"])
    callers = {
        **{role: team.account(role) for role in ("owner", "editor", "viewer", "outsider")},
        "admin": await make_admin(gateway, client, await sign_up(client)), "key": key, "nobody": None,
    }  # fmt: skip
    seen: set[tuple[str, int]] = set()
    for route in lists(gateway):
        source = route.relation.source if route.relation is not None else None
        path = route.path.replace("{id}", rows.get(source.prefix, unknown_id(source.prefix)) if source else "")
        for name, caller in callers.items():
            # An admin's lists grow while others test; a page of the oldest rows does not.
            listed = await rest.send("GET", f"{path}?sort=id&limit=3", caller)
            for method in WAYS:
                found = await search(rest, caller, method, path, {"sort": ["id"], "limit": 3})
                assert (path, name, method, found.status_code, found.content) == (
                    path, name, method, listed.status_code, listed.content,
                )  # fmt: skip
            seen.add((name, listed.status_code))
    assert {("owner", 200), ("outsider", 404), ("admin", 200), ("key", 403), ("nobody", 401)} <= seen


async def test_search_is_a_read_and_leaves_nothing_in_the_audit(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    before = (await rest.get("/audit-events", ada, count="true"))["page"]["total"]
    for method in WAYS:
        with statements(gateway) as sent:
            assert (await search(rest, ada, method, "/items", {"count": True})).status_code == 200
        assert len(sent) == 1 or gateway.reader is None
        assert (await search(rest, None, method, "/items", {})).status_code == 401
    assert (await rest.get("/audit-events", ada, count="true"))["page"]["total"] == before


@pytest.fixture(params=["httptools", "h11"])
async def served(app: FastAPI, request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, int]]:
    """The application behind a server of bytes, and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", http=request.param, log_config=None))
        task = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()
        server.should_exit = True
        await task


async def exchange(served: tuple[str, int], method: str, path: str, actor: Account, body: bytes = b"") -> bytes:
    """What a server answers, to the last byte."""
    reader, writer = await asyncio.open_connection(*served)
    fields = [f"{name}: {value}" for name, value in actor.headers.items()]
    fields += ["Host: x", "Connection: close", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


async def test_servers_let_query_and_head_through(served: tuple[str, int], rest: RestFace, ada: Account) -> None:
    await make_item(rest, ada)
    found = await exchange(served, "QUERY", "/api/v1/items", ada, b'{"fields": ["title"]}')
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert orjson.loads(body)["data"] == [{"title": "Wheel"}]

    got, headed = [await exchange(served, method, "/api/v1/items", ada) for method in ("GET", "HEAD")]
    head, _, body = got.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head
    assert headed.endswith(b"\r\n\r\n")
    assert headed.count(b"\r\n\r\n") == 1
    assert f"content-length: {len(body)}\r\n".encode() in headed
    assert (await exchange(served, "OPTIONS", "/api/v1/items", ada)).startswith(b"HTTP/1.1 204 No Content")
