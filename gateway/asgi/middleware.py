"""What surrounds both faces, as plain ASGI middleware (Starlette's BaseHTTPMiddleware is slow and breaks streaming).

`middleware_stack` gives them in their order. From the outside in: the frame (request id, observation, headers, access
line), so that everything below can name the request, every answer has the headers, and the line the final status and
size; CORS; compression; one spelling of each address; the deadline; the net for unexpected exceptions; then what amends
or refuses a request on its way to a face.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

import structlog
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi.access_log import logged_path
from gateway.asgi.bodies import BodyGuard
from gateway.asgi.compression import Compression
from gateway.asgi.cors import Cors, NoCors
from gateway.asgi.deadline import RequestDeadline
from gateway.asgi.faults import WriteProblem, write_problem
from gateway.asgi.frame import RequestFrame
from services.catalogue.problems import INTERNAL_ERROR, NOT_FOUND, Problem
from services.process import observation
from services.queries.limits import DEFAULTS, Limits

EXPOSED_HEADERS: Final = ("X-Request-ID", "Link", "Location", "Retry-After", "WWW-Authenticate")
BUDGET_HEADERS: Final = ("RateLimit", "RateLimit-Policy", "X-Request-Cost")

_NEEDLESS: Final = re.compile(
    rb"%(?:2F|5C|[01][0-9A-F]|7F|2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE
)
"""Octets that no address of the gateway has encoded: `/`, `\\`, control characters, and RFC 3986's unreserved ones."""

error_log = structlog.get_logger("gateway.errors")


def middleware_stack(
    *,
    max_body_bytes: int,
    slash_prefixes: Sequence[str],
    cors_origins: Sequence[str] = (),
    cors_pattern: str | None = None,
    exposed_headers: Sequence[str] = (),
    compression: str | None = None,
    server_timing: bool = False,
    budgets: bool = False,
    timeout_seconds: float | None = None,
    limits: Limits = DEFAULTS,
    is_upload: Callable[[Scope], bool] = lambda scope: False,
    write: WriteProblem = write_problem,
) -> list[Middleware]:
    """All of them, outermost first, as FastAPI's `middleware=` takes them.

    A trailing slash is ignored under `slash_prefixes`. Pages of `cors_origins`, and of origins that match
    `cors_pattern`, may call, and read the `exposed_headers`, too. `compression` is the coding that is preferred; with
    None there is none. With `server_timing`, answers say what they took; with `budgets`, what they cost. `write` shows
    problems in the form of the face that was meant. What `is_upload` has bounds of its own, in length and in time.
    """
    exposed = [*EXPOSED_HEADERS, *exposed_headers, *(BUDGET_HEADERS if budgets else ())]
    if server_timing:
        exposed.append("Server-Timing")
    cors = Middleware(
        Cors,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "QUERY", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=exposed,
        max_age=600,
        allow_origin_regex=cors_pattern,
    )
    deadlines = []
    if timeout_seconds:
        deadlines.append(Middleware(RequestDeadline, seconds=timeout_seconds, write=write, spared=is_upload))
    return [
        Middleware(RequestFrame, server_timing=server_timing),
        cors if cors_origins or cors_pattern else Middleware(NoCors),
        *([Middleware(Compression, write=write, prefers=compression)] if compression else []),
        Middleware(OneSpelling, write=write),
        *deadlines,
        Middleware(InternalErrors, write=write),
        Middleware(TrailingSlash, prefixes=slash_prefixes),
        Middleware(BodyGuard, max_body_bytes=max_body_bytes, write=write, limits=limits, spared=is_upload),
    ]


def behind(stack: Sequence[Middleware], app: ASGIApp) -> ASGIApp:
    """The application with a stack around it."""
    for each in reversed(stack):
        app = each.cls(app, *each.args, **each.kwargs)
    return app


class InternalErrors:
    """The net: an unexpected exception is logged once, with its traceback, and shown as a bare `internal_error`."""

    def __init__(self, app: ASGIApp, write: WriteProblem = write_problem) -> None:
        self.app = app
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        last = ""

        def watch(message: Message) -> Awaitable[None]:
            nonlocal last
            last = message["type"]
            return send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            # The caller left while sending: nobody to answer, and no fault of ours.
            error_log.info("client disconnected")
        except Exception:  # noqa: BLE001 - the net is for whatever comes
            error_log.exception("unexpected exception", method=scope.get("method"), path=logged_path(scope))
            if scope["type"] == "websocket":
                if last != "websocket.close":
                    await send({"type": "websocket.close", "code": 1011})
                return
            # Nothing of an answer that has begun can be taken back; the server cuts the connection, and the caller
            # notices.
            if last:
                return
            seen = observation.current()
            problem = Problem(INTERNAL_ERROR, request_id=seen.request_id if seen else None)
            await self.write(scope, problem)(scope, receive, send)


class OneSpelling:
    """Refuses addresses that another spelling of a path leads to (404), so that a proxy's rules hold.

    ASGI's `path` is decoded: by it, `/api/v1%2Fjobs` would be `/api/v1/jobs`, past every proxy that goes by what was
    sent. The same is true of letters, digits and `-._~`, which RFC 3986, section 2.3, wants written as themselves. An
    encoded backslash, or a control character, is in no address. All others may be encoded, in identifiers for instance.
    """

    def __init__(self, app: ASGIApp, write: WriteProblem = write_problem) -> None:
        self.app = app
        self.write = write

    # Not a coroutine function: it passes the application's own awaitable on.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        raw: bytes | None = scope.get("raw_path")
        if raw is not None and b"%" in raw and _NEEDLESS.search(raw):
            return self.write(scope, Problem(NOT_FOUND))(scope, receive, send)
        return self.app(scope, receive, send)


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
