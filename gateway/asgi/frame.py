"""What every request is framed by: its id, its observation, the headers of every answer, the access line.

One middleware instead of one each, because each costs every request a wrapped `send` and a look through the headers,
and a compiled read takes hardly longer than four of those.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

import uuid_utils
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi.access_log import write_access_line
from gateway.logging import redact_text
from gateway.metrics import count
from services.process.observation import Observation

RawHeader: TypeAlias = tuple[bytes, bytes]

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_REQUEST_ID: Final = b"x-request-id"
_DEFAULTS: Final[tuple[RawHeader, ...]] = tuple(
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
)
_OURS: Final = frozenset({_REQUEST_ID, *(name for name, _ in _DEFAULTS)})
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestFrame:
    """Gives every request an id and an `Observation`, every answer its headers, and the log a line.

    The id is the caller's `X-Request-ID` if sane and no secret. The headers are the strict ones of `SECURITY_HEADERS`
    where the answer has not set its own (pages do), `X-Request-ID`, and with `server_timing` what the answer took so
    far, as `Server-Timing` (W3C): it tells strangers how the gateway works, so it is for development.
    """

    def __init__(self, app: ASGIApp, *, server_timing: bool = False) -> None:
        self.app = app
        self.server_timing = server_timing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A WebSocket is observed, too; the lifespan is no request.
            is_socket = scope["type"] == "websocket"
            with Observation(request_id_of(scope["headers"])) if is_socket else nullcontext():
                await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status: int | None = None
        sent = 0

        # Not a coroutine function: it passes the server's own awaitable on, which saves a coroutine a message.
        def framed(message: Message) -> Awaitable[None]:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = complete_headers(message.get("headers", ()), seen.request_id)
                if seen.charged is not None:
                    headers += seen.charged.fields()
                if self.server_timing:
                    total = (time.perf_counter() - started) * 1000
                    timing = f'total;dur={total:.2f}, sql;desc="{seen.statements} statements"'
                    headers.append((b"server-timing", timing.encode()))
                # A new message: the one given may be a constant of whoever answers.
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            return send(message)

        with Observation(request_id_of(scope["headers"])) as seen:
            try:
                await self.app(scope, receive, framed)
            finally:
                _count(seen)
                if scope["method"] == "HEAD":
                    sent = 0  # the server leaves the body out
                write_access_line(scope, seen, status, sent, time.perf_counter() - started)


@dataclass(slots=True)
class OperationLine:
    """What the access log says of an operation: an HTTP status, None where nothing was answered, and the bytes sent."""

    status: int | None = None
    sent: int = 0


@contextmanager
def operation_frame(scope: Scope) -> Iterator[OperationLine]:
    """Surround the handshake or an operation of a WebSocket with an observation and a line in the access log."""
    started, line, seen = time.perf_counter(), OperationLine(), Observation(uuid_utils.uuid4().hex)
    try:
        with seen:
            yield line
    finally:
        _count(seen)
        seconds = time.perf_counter() - started
        write_access_line({**scope, "method": "WS"}, seen, line.status, line.sent, seconds)


def _count(seen: Observation) -> None:
    count("requests", seen.path or "none")
    for face, member in seen.deprecated:
        count("deprecated", face, member)


def request_id_of(headers: Iterable[RawHeader]) -> str:
    given = next((value for name, value in headers if name == _REQUEST_ID), b"").decode("latin-1")
    # A token for an id would be logged, and told, wherever the id is.
    is_sane = _SANE_REQUEST_ID.fullmatch(given) and redact_text(given) == given
    return given if is_sane else uuid_utils.uuid4().hex


def complete_headers(given: Iterable[RawHeader], request_id: str) -> list[RawHeader]:
    headers = [*given]
    names = _OURS.intersection([name for name, _ in headers])
    if names:
        headers = [header for header in headers if header[0] != _REQUEST_ID]
        headers += [header for header in _DEFAULTS if header[0] not in names]
    else:
        headers += _DEFAULTS
    headers.append((_REQUEST_ID, request_id.encode()))
    return headers
