"""uvicorn's HTTP protocol with a bound on what comes before the body.

httptools has none: header fields without an end would fill the memory before any application hears of the request.
(h11, uvicorn's other parser, stops at 64 KiB by itself.)
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.settings import load_settings
from rest.problems import problem_response
from services.catalogue.problems import BAD_REQUEST, HEADERS_TOO_LARGE, URI_TOO_LONG, Problem

MOST_OF_AN_ADDRESS: Final = 65_535
"""What httptools can count."""


@cache
def bounds() -> tuple[int, float]:
    """The bytes that request line and header fields may have, and the seconds that they may take.

    From the environment: workers are made by uvicorn, which hands them the name of the protocol and no more.
    """
    settings = load_settings()
    return settings.MAX_HEADER_BYTES, settings.REQUEST_TIMEOUT_SECONDS


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head that is too long (431), give or take what is read at once; hangs up on one that is too slow.

    What cannot be parsed is refused as a Problem as well: 414 for an address that is too long, else 400.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.url = b""
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

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers when httptools has given up."""
        if len(self.url) > MOST_OF_AN_ADDRESS:
            self._refuse(Problem(URI_TOO_LONG, f"An address has at most {MOST_OF_AN_ADDRESS:,} bytes."))
        else:
            self._refuse(Problem(BAD_REQUEST, "This is not HTTP/1.1."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop_timer()
        super().connection_lost(exc)

    def _await_head(self, received: int) -> None:
        most, seconds = bounds()
        self._head_bytes += received
        if self._head_bytes > most:
            self._refuse(Problem(HEADERS_TOO_LARGE, f"Request line and header fields have at most {most:,} bytes."))
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(seconds, self.transport.close)

    def _refuse(self, problem: Problem) -> None:
        response = problem_response(problem)
        fields = [*self.server_state.default_headers, *response.raw_headers, (b"Connection", b"close")]
        head = b"".join(b"%s: %s\r\n" % (name.title(), value) for name, value in fields)
        self.transport.write(STATUS_LINE[response.status_code] + head + b"\r\n" + bytes(response.body))
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
