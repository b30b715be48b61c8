"""uvicorn's HTTP protocol with a bound on what comes before the body.

httptools has none: header fields without an end would fill the memory before any application hears of the request.
(h11, uvicorn's other parser, stops at 64 KiB by itself.)
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.settings import load_settings
from rest.problems import problem_response
from services.catalogue.problems import HEADERS_TOO_LARGE, Problem

_REFUSED: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
)


@cache
def bounds() -> tuple[int, float]:
    """The bytes that request line and header fields may have, and the seconds that they may take.

    From the environment: workers are made by uvicorn, which hands them the name of the protocol and no more.
    """
    settings = load_settings()
    return settings.MAX_HEADER_BYTES, settings.REQUEST_TIMEOUT_SECONDS


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head that is too long (431), give or take what is read at once; hangs up on one that is too slow."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head, self._head_bytes = False, 0
        self._head_timer: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The last byte of its head."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Whatever comes; a head that is all there is not looked at."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._await_head(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_timer()
        super().connection_lost(exc)

    def _await_head(self, received: int) -> None:
        most, seconds = bounds()
        self._head_bytes += received
        if self._head_bytes > most:
            problem = Problem(HEADERS_TOO_LARGE, f"Request line and header fields have at most {most:,} bytes.")
            body = bytes(problem_response(problem).body)
            self.transport.write(_REFUSED + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.transport.close()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
