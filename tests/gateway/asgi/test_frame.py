"""What is put around every answer: headers, once each, and in development what the answer took."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi.frame import SECURITY_HEADERS
from gateway.asgi.middleware import middleware_stack
from gateway.settings import Settings
from services.process import observation
from tests.support.apps import client_from, make_app

FRONT = "https://front.example"
GIVEN: list[tuple[bytes, bytes]] = [(b"content-type", b"text/plain"), (b"content-length", b"2")]


def answering(headers: Any = (), start: Message | None = None) -> ASGIApp:
    """An application that answers `ok` with these headers, after one statement."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        noted = observation.current()
        assert noted is not None
        noted.statements += 1
        await send(start or {"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


def framed(app: ASGIApp, **options: Any) -> ASGIApp:
    for each in reversed(middleware_stack(max_body_bytes=100, slash_prefixes=["/api/v1"], **options)):
        app = each.cls(app, *each.args, **each.kwargs)
    return app


async def headers_of(app: ASGIApp, *asked: tuple[bytes, bytes], method: str = "POST") -> list[tuple[str, str]]:
    """The headers of the answer, in their order."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * 10, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    declared = [(b"content-length", b"10"), *asked]
    scope = {"type": "http", "http_version": "1.1", "method": method, "path": "/api/v1/x", "headers": declared}
    await app(scope, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    return [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]


RID = (b"x-request-id", b"rid")
DEFAULTS = [(name.lower(), value) for name, value in SECURITY_HEADERS.items()]


@pytest.mark.parametrize("kind", [list, tuple, iter])
async def test_headers_are_those_of_the_answer_and_ours(kind: Callable[[Any], Any]) -> None:
    headers = await headers_of(framed(answering(kind(GIVEN))), RID)

    assert headers == [("content-type", "text/plain"), ("content-length", "2"), *DEFAULTS, ("x-request-id", "rid")]


async def test_what_the_answer_sets_is_not_set_again_but_for_the_id() -> None:
    own = [(b"cache-control", b"no-cache"), (b"x-request-id", b"its own"), (b"x-frame-options", b"SAMEORIGIN")]
    headers = await headers_of(framed(answering(own)), RID)

    assert headers[:2] == [("cache-control", "no-cache"), ("x-frame-options", "SAMEORIGIN")]
    assert headers[-1] == ("x-request-id", "rid")
    assert sorted(name for name, _ in headers) == sorted([*(name for name, _ in DEFAULTS), "x-request-id"])


async def test_a_prepared_answer_is_not_written_into() -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": GIVEN}
    app = framed(answering(start=start), cors_origins=[FRONT], server_timing=True)

    assert await headers_of(app, RID) != []
    assert start == {"type": "http.response.start", "status": 200, "headers": GIVEN}
    assert len(GIVEN) == 2


async def test_an_answer_without_headers_has_ours() -> None:
    start: Message = {"type": "http.response.start", "status": 200}

    assert await headers_of(framed(answering(start=start)), RID) == [*DEFAULTS, ("x-request-id", "rid")]


async def test_ids_that_are_made_up_here_differ() -> None:
    app = framed(answering())
    ids = [dict(await headers_of(app))["x-request-id"] for _ in range(100)]

    assert len(set(ids)) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


async def test_server_timing_is_told_in_development_alone() -> None:
    told = dict(await headers_of(framed(answering(), server_timing=True)))
    silent = dict(await headers_of(framed(answering())))

    assert re.fullmatch(r'total;dur=\d+\.\d\d, sql;desc="1 statements"', told["server-timing"])
    assert "server-timing" not in silent


@pytest.mark.parametrize(("environment", "told"), [("development", True), ("test", True), ("production", False)])
async def test_server_timing_is_the_applications_outside_of_production(
    settings: Settings, environment: str, told: bool
) -> None:
    app = make_app(settings.model_copy(update={"ENVIRONMENT": environment}))
    async with client_from(app) as client:
        answer = await client.get("/health/live")

    assert answer.status_code == 200
    assert ("server-timing" in answer.headers) is told


@pytest.mark.parametrize("timing", [True, False])
async def test_pages_may_read_server_timing_where_it_is_told(timing: bool) -> None:
    app = framed(answering(), cors_origins=[FRONT], server_timing=timing)
    headers = dict(await headers_of(app, (b"origin", FRONT.encode())))

    assert ("Server-Timing" in headers["access-control-expose-headers"].split(", ")) is timing


EXPOSED = ("access-control-expose-headers", "X-Request-ID, Link, Location, Retry-After, WWW-Authenticate")
VARY = ("vary", "Origin")
CORS: dict[str, tuple[str, str | None, list[tuple[str, str]]]] = {
    "no origin": (FRONT, None, [VARY]),
    "allowed": (FRONT, FRONT, [EXPOSED, ("access-control-allow-origin", FRONT), VARY]),
    "another": (FRONT, "https://evil.example", [EXPOSED, VARY]),
    "anybody": ("*", "https://any.example", [("access-control-allow-origin", "*"), EXPOSED, VARY]),
    "anybody, no origin": ("*", None, [VARY]),
}


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize(("allowed", "origin", "expected"), CORS.values(), ids=CORS)
async def test_cors_headers(allowed: str, origin: str | None, expected: list[tuple[str, str]], method: str) -> None:
    """An OPTIONS request that is no preflight request goes Starlette's own way, so the two are compared here."""
    asked = [(b"origin", origin.encode())] if origin else []
    headers = await headers_of(framed(answering(), cors_origins=[allowed]), *asked, method=method)

    of_cors = [each for each in headers if each[0] == "vary" or each[0].startswith("access-control-")]
    assert sorted(of_cors) == sorted(expected)


async def test_vary_of_the_answer_is_kept_beside_cors() -> None:
    app = framed(answering([(b"vary", b"Accept")]), cors_origins=[FRONT])

    assert [value for name, value in await headers_of(app) if name == "vary"] == ["Accept", "Origin"]


async def test_a_request_leaves_no_cyclic_garbage() -> None:
    app = framed(answering(GIVEN), cors_origins=[FRONT], server_timing=True)
    await headers_of(app, (b"origin", FRONT.encode()))  # what the first request makes for good
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await headers_of(app, (b"origin", FRONT.encode()))
        assert gc.collect() == 0
    finally:
        gc.enable()
