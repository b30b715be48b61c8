"""What a request may be, before anybody reads it: no query string and no body too long, no body compressed.

FastAPI's own `max_body_size` is not used: where the application answers without reading the body, it sends its 413 as
plain text, past every exception handler, and both faces promise a Problem.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.catalogue.problems import PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Problem
from services.queries.limits import DEFAULTS, Limits, check_query_string

LINGER_SECONDS: Final = 1.0
"""How long, after a refusal, the rest of the body is read and thrown away."""
LINGER_LONGER: Final = 5.0
"""How long that of a body that may be long: its length is no matter."""

_TELLING: Final = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})


class BodyGuard:
    """Refuses bodies above `max_body_bytes` (413), encoded ones (415), and query strings that `limits` do not allow."""

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, write: Callable[[Scope, Problem], Response],
        limits: Limits = DEFAULTS, spared: Callable[[Scope], bool] = lambda scope: False,
    ) -> None:  # fmt: skip
        self.app = app
        self.max_body_bytes, self.limits, self.spared = max_body_bytes, limits, spared
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = {name: value for name, value in scope["headers"] if name in _TELLING}
        if self.spared(scope):
            await self._streamed(scope, declared, _Body(receive, math.inf, LINGER_LONGER), send)
            return
        if problem := self._problem(scope, declared, self.max_body_bytes):
            await self._refuse(problem, scope, _Body(receive, self.max_body_bytes), send)
        elif _bounded(scope, declared):
            await self.app(scope, receive, send)
        else:
            await self._counted(scope, _Body(receive, self.max_body_bytes), send)

    async def _streamed(self, scope: Scope, declared: Mapping[bytes, bytes], body: _Body, send: Send) -> None:
        """What counts its body itself; a refusal before its end closes the connection, once the caller could see it."""
        if problem := self._problem(scope, declared, math.inf):
            await self._refuse(problem, scope, body, send)
            return

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400 and not body.ended:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
                await send(message)
            elif message["type"] == "http.response.body" and not message.get("more_body") and not body.ended:
                await send({**message, "more_body": True})
                await body.linger()
                await send({"type": "http.response.body", "body": b""})
            else:
                await send(message)

        await self.app(scope, body.receive, lingering)

    async def _counted(self, scope: Scope, body: _Body, send: Send) -> None:
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            # Whatever a face makes of the exception it got from `receive`, the answer is ours.
            if not body.exceeded or started:
                started = True
                await send(message)

        try:
            await self.app(scope, body.receive, guarded_send)
        except Exception:
            if started or not body.exceeded:
                raise
        if body.exceeded and not started:
            await self._refuse(_too_large(self.max_body_bytes), scope, body, send)

    def _problem(self, scope: Scope, declared: Mapping[bytes, bytes], limit: float) -> Problem | None:
        """The problem that address and headers alone give away."""
        query_string = scope.get("query_string")
        if query_string:
            try:
                check_query_string(query_string, self.limits)
            except Problem as problem:
                return problem
        length = declared.get(b"content-length", b"")
        if length.isdigit() and float(length) > limit:
            return _too_large(limit)
        if declared.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
            return Problem(UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding.")
        return None

    async def _refuse(self, problem: Problem, scope: Scope, body: _Body, send: Send) -> None:
        response = self.write(scope, problem)
        response.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        await body.linger()
        await send({"type": "http.response.body", "body": b""})


class _Body:
    """The body as it comes in: counted, cut off at `limit`."""

    def __init__(self, receive: Receive, limit: float, linger_seconds: float = LINGER_SECONDS) -> None:
        self._receive, self._limit, self._linger_seconds = receive, limit, linger_seconds
        self._read = 0
        self.ended = False
        """Whether all of it has been read."""

    @property
    def exceeded(self) -> bool:
        return self._read > self._limit

    async def receive(self) -> Message:
        """The next message. Raises payload_too_large beyond the limit, now and at every further call."""
        if not self.exceeded:
            message = await self._next()
            if not self.exceeded:
                return message
        raise _too_large(self._limit)

    async def linger(self) -> None:
        """Throw away a bounded part of the rest.

        Closing a connection with unread bytes in it resets it, and a client that writes before it reads (most do) would
        see the reset instead of the answer.
        """
        allowance, end = self._read + self._limit, time.monotonic() + self._linger_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_seconds):
                # What comes without being waited for gives no timeout a chance.
                while not self.ended and self._read <= allowance and time.monotonic() < end:
                    await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


def _bounded(scope: Scope, declared: Mapping[bytes, bytes]) -> bool:
    """Whether the server lets no more through than was declared, so that nothing need be counted.

    It ends the body at Content-Length, and without any length HTTP/1 has no body (RFC 9112, section 6.3): so it is with
    nearly every request. Where both lengths are given, it is the server's to know which holds.
    """
    if b"transfer-encoding" in declared:
        return False
    return declared.get(b"content-length", b"").isdigit() or scope.get("http_version") in ("1.0", "1.1")


def _too_large(limit: float) -> Problem:
    return Problem(PAYLOAD_TOO_LARGE, f"The body may have at most {limit} bytes.")
