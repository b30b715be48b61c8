"""Downloads, which count as a request of their caller until they end, and end if the caller stops reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing, suppress
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

PIECE: Final = 65_536
"""Bytes passed to the server at a time. A caller who reads that much in the time allowed is slow but active."""
ABORT: Final = "gateway.abort"
"""The extension of the scope by which the server closes a connection at once, discarding pending data."""

HANG_UP_SECONDS: Final = 5.0
"""How long the server may take to notice that the connection is closed."""

log = structlog.get_logger(__name__)


class StalledDownloadError(Exception):
    """The caller has not read anything for too long."""


class Download(StreamingResponse):
    """A streamed response that ends when the caller stops reading.

    It releases `held` when it ends for any reason. If sending a piece takes longer than `idle_seconds`, the connection
    is closed without sending more, so that the caller does not take the received part for the whole.
    """

    def __init__(
        self, content: AsyncGenerator[bytes], status: int, headers: Mapping[str, str],
        held: AbstractContextManager[object], idle_seconds: float,
    ) -> None:  # fmt: skip
        super().__init__(content, status, headers)
        self._content, self._held, self._idle_seconds = content, held, idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            async with aclosing(self._content):
                try:
                    await super().__call__(scope, receive, send)
                except StalledDownloadError:
                    log.info("a download was given up, as nobody reads it")
                    await _hang_up(scope, receive)
                    raise ClientDisconnect from None

    async def stream_response(self, send: Send) -> None:
        """Send the content. Raises StalledDownloadError."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await self._sent(send, start)
        async for part in self._content:
            for place in range(0, len(part), PIECE):
                piece = part[place : place + PIECE]
                await self._sent(send, {"type": "http.response.body", "body": piece, "more_body": True})
        await self._sent(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _sent(self, send: Send, message: Message) -> None:
        timeout = asyncio.timeout(self._idle_seconds)
        try:
            async with timeout:
                await send(message)
        except TimeoutError:
            if timeout.expired():
                raise StalledDownloadError from None
            raise


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection if the server supports it, since pending data would keep it open."""
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is None:
        return
    abort()
    with suppress(TimeoutError):
        async with asyncio.timeout(HANG_UP_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                continue
