"""What surrounds both faces, as plain ASGI middleware (Starlette's BaseHTTPMiddleware is slow and breaks streaming).

`middleware_stack` gives them in their order. From the outside in: the request id, so that everything below can name it;
the access line, so that it sees the final status; the headers, so that every answer has them; CORS; the net for
unexpected exceptions; then what amends or refuses a request before it reaches a face.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.bodies import BodyGuard
from rest.problems import problem_response
from services import observation
from services.catalogue.problems import INTERNAL_ERROR, Problem

ProblemWriter: TypeAlias = Callable[[Scope, Problem], Response]

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
EXPOSED_HEADERS: Final = ("X-Request-ID", "Link", "Location", "Retry-After", "WWW-Authenticate")
MAX_LOGGED_PATH: Final = 500

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

access_log = structlog.get_logger("gateway.access")
error_log = structlog.get_logger("gateway.errors")


def write_problem(scope: Scope, problem: Problem) -> Response:
    """The default way to show a problem that is found outside the faces: `application/problem+json`."""
    return problem_response(problem)


def middleware_stack(
    *,
    max_body_bytes: int,
    slash_prefixes: Sequence[str],
    cors_origins: Sequence[str] = (),
    write: ProblemWriter = write_problem,
) -> list[Middleware]:
    """All of them, outermost first, as FastAPI's `middleware=` takes them.

    `slash_prefixes` are the addresses under which a trailing slash is ignored (`/api/v1`, `/graphql`, …). `write` shows
    the problems found here; it is given the scope, so that a face can answer in its own form.
    """
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
        max_age=600,
    )
    return [
        Middleware(RequestContext),
        Middleware(AccessLog),
        Middleware(SecurityHeaders),
        *([cors] if cors_origins else []),
        Middleware(InternalErrors, write=write),
        Middleware(TrailingSlash, prefixes=slash_prefixes),
        Middleware(BodyGuard, max_body_bytes=max_body_bytes, write=write),
    ]


class RequestContext:
    """Gives every request an id (the caller's `X-Request-ID` if sane), an `Observation`, and a logging context."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with (
            observation.observe(request_id),
            structlog.contextvars.bound_contextvars(request_id=request_id),
        ):
            await self.app(scope, receive, send_with_id)


class AccessLog:
    """One line per HTTP request. Never the query string: it may carry tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status: int | None = None
        sent = 0

        async def count(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            _write_access_line(scope, status, sent, started)


class SecurityHeaders:
    """Adds the strict headers of `SECURITY_HEADERS` where the answer has not set its own (pages do)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class InternalErrors:
    """The net: an unexpected exception is logged once, with its traceback, and shown as a bare `internal_error`."""

    def __init__(self, app: ASGIApp, write: ProblemWriter = write_problem) -> None:
        self.app = app
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        last = ""

        async def watch(message: Message) -> None:
            nonlocal last
            last = message["type"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            # The caller left while sending: nobody to answer, and no fault of ours.
            error_log.info("client disconnected")
        except Exception:  # noqa: BLE001 - the net is for whatever comes
            error_log.exception("unexpected exception", method=scope.get("method"), path=_path(scope))
            await self._answer(scope, receive, send, last)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, last: str) -> None:
        if scope["type"] == "websocket":
            if last != "websocket.close":
                await send({"type": "websocket.close", "code": 1011})
            return
        # Nothing of an answer that has begun can be taken back; the server cuts the connection, and the caller notices.
        if not last:
            seen = observation.current()
            problem = Problem(INTERNAL_ERROR, request_id=seen.request_id if seen else None)
            await self.write(scope, problem)(scope, receive, send)


class TrailingSlash:
    """Ignores one slash at the end of addresses under `prefixes`; a redirect would reflect a forged Host."""

    def __init__(self, app: ASGIApp, prefixes: Sequence[str]) -> None:
        self.app = app
        self.prefixes = tuple(f"{prefix}/" for prefix in prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].endswith("/"):
            path: str = scope["path"]
            if path.removeprefix(scope.get("root_path", "")).startswith(self.prefixes):
                raw: bytes = scope.get("raw_path") or quote(path).encode()
                scope = {**scope, "path": path[:-1], "raw_path": raw.removesuffix(b"/")}
        await self.app(scope, receive, send)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE_REQUEST_ID.fullmatch(given) else uuid4().hex


def _path(scope: Scope) -> str:
    """The path as it came, still percent-encoded: what is decoded could forge lines of a log."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1")[:MAX_LOGGED_PATH]


def _write_access_line(scope: Scope, status: int | None, sent: int, started: float) -> None:
    seen = observation.current()
    access_log.info(
        "request",
        method=scope["method"],
        path=_path(scope),
        status=status,
        ms=round((time.perf_counter() - started) * 1000, 2),
        operation=seen.operation if seen else None,
        actor=seen.actor if seen else None,
        statements=seen.statements if seen else 0,
        bytes=sent,
    )
