import asyncio
import re
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.responses import Response as Answer
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.asgi.middleware import middleware_stack
from services.process import observation

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl"


async def deaf(request: Request) -> Answer:
    return PlainTextResponse(request.scope["raw_path"])


async def crash(request: Request) -> Answer:
    raise RuntimeError("the password is hunter2")


async def crash_midway(request: Request) -> Answer:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("midway")

    return StreamingResponse(parts())


async def leave(request: Request) -> Answer:
    raise ClientDisconnect


async def observed(request: Request) -> Answer:
    seen = observation.current()
    assert seen is not None
    seen.operation, seen.actor = "list_items", "usr_1"

    async def statement() -> None:
        inner = observation.current()
        assert inner is not None
        inner.statements += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(statement())
    return JSONResponse({"observed": seen.request_id})


async def page(request: Request) -> Answer:
    return Answer(headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-cache"})


async def crash_socket(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("in a socket")


app = Starlette(
    routes=[
        *(Route(f"/api/v1/{handler.__name__}", handler, methods=["GET", "POST"])
          for handler in (deaf, crash, crash_midway, leave, observed, page)),
        Route("/graphql", deaf),
        Route("/graphqlx", deaf),
        WebSocketRoute("/socket", crash_socket),
    ],
    middleware=middleware_stack(
        max_body_bytes=100, slash_prefixes=["/api/v1", "/graphql"], cors_origins=["https://front.example"]
    ),
)  # fmt: skip
app.router.redirect_slashes = False


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as client:
        yield client


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    before = structlog.get_config()
    structlog.reset_defaults()
    with capture_logs() as events:
        yield events
    structlog.configure(**before)


async def test_a_sane_request_id_is_kept_and_returned(client: AsyncClient) -> None:
    answer = await client.get("/api/v1/observed", headers={"X-Request-ID": "a.B_9-z"})

    assert answer.headers["x-request-id"] == "a.B_9-z"
    assert answer.json() == {"observed": "a.B_9-z"}


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", "a/b", JWT])
async def test_any_other_request_id_is_replaced(client: AsyncClient, given: str) -> None:
    answer = await client.get("/api/v1/deaf", headers={"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_access_line(client: AsyncClient, logs: list[EventDict]) -> None:
    answer = await client.get("/api/v1/observed?access_token=secret", headers={"X-Request-ID": "rid"})

    (line,) = logs
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/api/v1/observed",
        "status": 200,
        "operation": "list_items",
        "actor": "usr_1",
        "statements": 3,
        "read": None,
        "bytes": len(answer.content),
    }


async def test_access_line_shows_the_path_as_it_came_and_cut(client: AsyncClient, logs: list[EventDict]) -> None:
    await client.get("/a%0Aforged%1B[31m" + "b" * 600)

    assert logs[0]["path"] == ("/a%0Aforged%1B[31m" + "b" * 600)[:500]
    assert logs[0]["status"] == 404


async def test_nothing_of_a_request_is_left_behind(client: AsyncClient) -> None:
    await client.get("/api/v1/observed")

    assert observation.current() is None
    assert structlog.contextvars.get_contextvars() == {}


async def test_answers_are_locked_down_by_default(client: AsyncClient) -> None:
    headers = (await client.get("/api/v1/deaf")).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


async def test_a_page_brings_its_own_policy(client: AsyncClient) -> None:
    headers = (await client.get("/api/v1/page")).headers

    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("cache-control") == ["no-cache"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_unexpected_exceptions_are_logged_once_and_shown_bare(client: AsyncClient, logs: list[EventDict]) -> None:
    headers = {"X-Request-ID": "rid", "Origin": "https://front.example"}
    answer = await client.get("/api/v1/crash", headers=headers)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "https://front.example"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.json() == {
        "type": "/problems/internal_error",
        "title": "Something went wrong here.",
        "status": 500,
        "code": "internal_error",
        "detail": "Something went wrong here.",
        "request_id": "rid",
    }
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("error", "unexpected exception"),
        ("info", "request"),
    ]
    assert logs[0]["exc_info"] is True
    assert logs[1]["status"] == 500


async def test_an_answer_that_has_begun_is_cut_off(logs: list[EventDict]) -> None:
    sent = await call(app, http_scope("/api/v1/crash_midway"), [{"type": "http.request"}])

    assert [(message["type"], message.get("more_body")) for message in sent] == [
        ("http.response.start", None),
        ("http.response.body", True),
    ]
    assert [line["event"] for line in logs] == ["unexpected exception", "request"]


async def test_a_caller_who_leaves_is_no_error(logs: list[EventDict]) -> None:
    assert await call(app, http_scope("/api/v1/leave"), [{"type": "http.request"}]) == []
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("info", "client disconnected"),
        ("info", "request"),
    ]


async def test_an_exception_in_a_socket_closes_it(logs: list[EventDict]) -> None:
    scope = {**http_scope("/socket"), "type": "websocket", "subprotocols": []}
    sent = await call(app, scope, [{"type": "websocket.connect"}])

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 1011
    assert [line["event"] for line in logs] == ["unexpected exception"]


@pytest.mark.parametrize("path", ["/api/v1/deaf", "/api/v1/deaf/", "/graphql", "/graphql/"])
async def test_a_trailing_slash_is_accepted_without_a_redirect(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.text) == (200, path.removesuffix("/"))


@pytest.mark.parametrize("path", ["/api/v1/deaf//", "/graphqlx/"])
async def test_no_other_slash_is_taken_away(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_cors_lets_the_named_origin_in_and_no_other(client: AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    ours = await client.options("/api/v1/deaf", headers={"Origin": "https://front.example", **asked})
    other = await client.options("/api/v1/deaf", headers={"Origin": "https://evil.example", **asked})

    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, "https://front.example")
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers


def http_scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}


def collector(sent: list[Message]) -> Any:
    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    return send


async def call(application: Starlette, scope: dict[str, Any], incoming: list[Message]) -> list[Message]:
    """What the application sends, given these messages; further ones never come."""
    sent: list[Message] = []

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop(0)

    await application(scope, receive, collector(sent))
    return sent
