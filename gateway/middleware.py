"""What surrounds both faces, as plain ASGI middleware (Starlette's BaseHTTPMiddleware is slow and breaks streaming).

`middleware_stack` gives them in their order. From the outside in: the frame (request id, observation, headers, access
line), so that everything below can name the request, every answer has the headers, and the line the final status and
size; CORS; compression; the deadline; the net for unexpected exceptions; then what amends or refuses a request on its
way to a face.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote

import structlog
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access_log import logged_path
from gateway.bodies import BodyGuard
from gateway.compression import Compression
from gateway.cors import Cors
from gateway.deadline import RequestDeadline
from gateway.frame import RequestFrame
from rest.problems import problem_response
from services import observation
from services.catalogue.limits import DEFAULTS, Limits
from services.catalogue.problems import INTERNAL_ERROR, Problem

ProblemWriter: TypeAlias = Callable[[Scope, Problem], Response]

EXPOSED_HEADERS: Final = ("X-Request-ID", "Link", "Location", "Retry-After", "WWW-Authenticate")
EXPOSED_IF_SENT: Final = ("ETag",)
"""What pages of other origins may read of the answers that have it."""
BUDGET_HEADERS: Final = ("RateLimit", "RateLimit-Policy", "X-Request-Cost")

error_log = structlog.get_logger("gateway.errors")


def write_problem(scope: Scope, problem: Problem) -> Response:
    """The default way to show a problem that is found outside the faces: `application/problem+json`."""
    return problem_response(problem)


def middleware_stack(
    *,
    max_body_bytes: int,
    slash_prefixes: Sequence[str],
    cors_origins: Sequence[str] = (),
    exposed_headers: Sequence[str] = (),
    compression: bool = False,
    server_timing: bool = False,
    budgets: bool = False,
    timeout_seconds: float | None = None,
    limits: Limits = DEFAULTS,
    is_upload: Callable[[Scope], bool] = lambda scope: False,
    write: ProblemWriter = write_problem,
) -> list[Middleware]:
    """All of them, outermost first, as FastAPI's `middleware=` takes them.

    `slash_prefixes` are the addresses under which a trailing slash is ignored (`/api/v1`, `/graphql`, …),
    `exposed_headers` what the faces add to the header fields that pages may read. With `compression`, larger answers
    are compressed; with `server_timing`, answers say what they took; with `budgets`, what they cost. `write` shows the
    problems found here; it is given the scope, so that a face can answer in its own form.
    What `is_upload` says to be one has bounds of its own, in length and in time.
    """
    cors = Middleware(
        Cors,
        allow_origins=list(cors_origins),
        allow_methods=["GET", "HEAD", "QUERY", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=[
            *EXPOSED_HEADERS,
            *exposed_headers,
            *(BUDGET_HEADERS if budgets else []),
            *(["Server-Timing"] if server_timing else []),
        ],
        max_age=600,
        exposed_if_sent=EXPOSED_IF_SENT,
    )
    return [
        Middleware(RequestFrame, server_timing=server_timing),
        *([cors] if cors_origins else []),
        *([Middleware(Compression, write=write)] if compression else []),
        *_deadlines(timeout_seconds, write, is_upload),
        Middleware(InternalErrors, write=write),
        Middleware(TrailingSlash, prefixes=slash_prefixes),
        Middleware(BodyGuard, max_body_bytes=max_body_bytes, write=write, limits=limits, spared=is_upload),
    ]


def _deadlines(
    seconds: float | None, write: ProblemWriter, spared: Callable[[Scope], bool]
) -> list[Middleware]:  # fmt: skip
    return [Middleware(RequestDeadline, seconds=seconds, write=write, spared=spared)] if seconds else []


def behind(stack: Sequence[Middleware], app: ASGIApp) -> ASGIApp:
    """The application with a stack around it."""
    for each in reversed(stack):
        app = each.cls(app, *each.args, **each.kwargs)
    return app


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
