"""What a request body may be, before anybody reads it: not too long and not compressed.

FastAPI's own `max_body_size` is not used: where the application answers without reading the body, it sends its 413 as
plain text, past every exception handler, and both faces promise a Problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.catalogue.problems import PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Problem

LINGER_SECONDS: Final = 1.0
"""How long, after a refusal, the rest of the body is read and thrown away."""


class BodyGuard:
    """Refuses bodies above `max_body_bytes` (413; counted, so chunked ones too) and encoded ones (415)."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, write: Callable[[Scope, Problem], Response]) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, self.max_body_bytes)
        if problem := self._declared(Headers(scope=scope)):
            await self._refuse(problem, scope, body, send)
            return
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
            await self._refuse(body.too_large(), scope, body, send)

    def _declared(self, headers: Headers) -> Problem | None:
        """The problem that the headers alone give away."""
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self.max_body_bytes):
            return _too_large(self.max_body_bytes)
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
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

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._read = 0
        self._ended = False
        self.exceeded = False

    def too_large(self) -> Problem:
        return _too_large(self._limit)

    async def receive(self) -> Message:
        """The next message. Raises payload_too_large beyond the limit, now and at every further call."""
        if self.exceeded:
            raise self.too_large()
        message = await self._next()
        if self._read > self._limit:
            self.exceeded = True
            raise self.too_large()
        return message

    async def linger(self) -> None:
        """Throw away a bounded part of the rest.

        Closing a connection with unread bytes in it resets it, and a client that writes before it reads (most do) would
        see the reset instead of the answer.
        """
        allowance = self._read + self._limit
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._ended and self._read <= allowance:
                    await self._next()
        except TimeoutError:
            return

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


def _too_large(limit: int) -> Problem:
    return Problem(PAYLOAD_TOO_LARGE, f"The body may have at most {limit} bytes.")
