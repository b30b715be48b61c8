"""uvicorn's HTTP protocol with a bound on what comes before the body, and refusals that are Problems.

httptools has no bound: header fields without an end would fill the memory before any application hears of the request.
(h11, uvicorn's other parser, stops at 64 KiB by itself.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final

import httptools
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.asgi.access_log import write_access_line
from gateway.asgi.frame import complete_headers, request_id_of
from gateway.settings import load_settings
from rest.files.downloads import ABORT
from rest.http.problems import problem_response
from services.catalogue.problems import BAD_REQUEST, HEADERS_TOO_LARGE, URI_TOO_LONG, Problem
from services.process.observation import Observation
from services.process.shutdown import ON_SHUTDOWN, STOPPING

MOST_OF_AN_ADDRESS: Final = 65_535
"""What httptools can count."""
AT_ONCE: Final = 4_096
"""Bytes that are parsed before they are counted: nobody knows where among them a head begins."""


@cache
def bounds() -> tuple[int, float]:
    """The bytes that request line and header fields may have, and the seconds that they may take.

    From the environment: workers are made by uvicorn, which hands them the name of the protocol and no more.
    """
    settings = load_settings()
    return settings.MAX_HEADER_BYTES, settings.REQUEST_TIMEOUT_SECONDS


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a head that is too long (431), and trailers; hangs up on a head that is too slow, or never comes.

    What cannot be parsed is refused as a Problem as well: 414 for an address that is too long, else 400. No refusal
    overtakes the answer to a request before it on the connection, and after a refusal nothing is read.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._served: Callable[..., Awaitable[None]] = self.app
        self.app = self._serve
        self.url = b""
        self.cycle: Any = None
        self._in_head = self._in_body = self._stepped = False
        self._bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: Problem | None = None
        self._on_shutdown: list[Callable[[], None]] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own
        super().connection_made(transport)
        self._start_timer()  # for the first head

    def on_message_begin(self) -> None:
        """The first byte of a request; blank lines before it are none, and prolong nothing."""
        self._unset_keepalive_if_required()
        self._in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MOST_OF_AN_ADDRESS:
            raise Problem(URI_TOO_LONG, f"An address has at most {MOST_OF_AN_ADDRESS:,} bytes.")
        # httptools drops it, and with it conditions that a client has forgotten to encode; proxies' rules read on.
        if b"#" in url:
            raise Problem(BAD_REQUEST, "An address that is asked for has no fragment: in values # is %23.")

    def on_headers_complete(self) -> None:
        self._in_head, self._stepped = False, True
        self._stop_timer()
        self._unset_keepalive_if_required()  # of an answer that ended amid this head
        most, _ = bounds()
        if self._bytes + AT_ONCE > most:  # and the last bytes have not been counted
            line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
            if line + sum(len(name) + len(value) + 4 for name, value in self.headers) + 2 > most:
                raise _too_large(most)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # no WebSocket
            self._in_body, self._on_shutdown = True, []
            if self.app_state.get(STOPPING):
                self.cycle.keep_alive = False
            extensions: dict[str, Any] = {ON_SHUTDOWN: self._on_shutdown, ABORT: self.transport.abort}
            self.scope["extensions"] = {**self.scope.get("extensions", {}), **extensions}

    def on_body(self, body: bytes) -> None:
        self._stepped = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._stepped = False, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refusal is not None and self.cycle.response_complete and not self.transport.is_closing():
            self._hang_up()

    def data_received(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), AT_ONCE):
                if self._refusal is not None:
                    return
                self._feed(data[start : start + AT_ONCE])
        except Problem as problem:
            self._refuse(problem)
        except httptools.HttpParserError as error:
            self._refuse(_problem_of(error))
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():  # others are not heeded, as HTTP allows; uvicorn logs a warning for each
                self.handle_websocket_upgrade()

    def shutdown(self) -> None:
        """Uvicorn stops, or the connection is to be closed: what has been asked for is answered still."""
        super().shutdown()
        for each in self._on_shutdown:
            each()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    # Not a coroutine function: it passes the application's own awaitable on.
    def _serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The application. Where the rest of a body turns out to be unreadable, it hears that its client is gone, and
        what it says after that goes nowhere."""

        async def next_message() -> Message:
            message, ended = await receive(), self.cycle.disconnected or self.cycle.response_complete
            # Whether it is this request whose body is refused, while its answer may still come.
            if self._refusal is None or not self._in_body or scope is not self.scope or ended:
                return message
            self.cycle.disconnected = True
            self._hang_up()
            return {"type": "http.disconnect"}

        return self._served(scope, next_message, send)

    def _feed(self, piece: bytes) -> None:
        """Parse, and count what has come since the last step forward: a head, a piece of a body, the end of one."""
        most, _ = bounds()
        self._stepped, before = False, len(self.url)
        self.parser.feed_data(piece)
        self._bytes = 0 if self._stepped else self._bytes + len(piece)
        # An address that still comes is about to be refused for its own length, where that is the smaller one.
        counted = len(self.url) > before and most >= MOST_OF_AN_ADDRESS
        if self._bytes > most and not counted:
            raise _too_large(most)
        if self._in_head and self._head_timer is None:
            self._start_timer()

    def _refuse(self, problem: Problem) -> None:
        """Hang up with a Problem, once all that came before is answered."""
        self._stop_timer()
        self._refusal = problem
        if self._in_body and not self.cycle.response_complete:
            self.cycle.message_event.set()  # whoever waits for more of it
        elif self.cycle is None or self.cycle.response_complete:
            self._hang_up()

    def _hang_up(self) -> None:
        """Write the refusal and close. A request whose own answer has begun, though its body turned out to be
        unreadable, gets no second one."""
        if self._refusal is not None and not (self._in_body and self.cycle.response_started):
            self.transport.write(self._answer(self._refusal))
        self.transport.close()

    def _answer(self, problem: Problem) -> bytes:
        """The bytes of an answer, which is logged as any other."""
        # Where there is an address, the method before it is known.
        method = self.parser.get_method().decode() if self.url else "-"
        seen = Observation(request_id_of(self.headers or ()))
        response = problem_response(problem)
        body = b"" if method == "HEAD" else bytes(response.body)
        own = [*response.raw_headers, (b"connection", b"close")]
        fields = [*self.server_state.default_headers, *complete_headers(own, seen.request_id)]
        head = b"".join(b"%s: %s\r\n" % (name.title(), value) for name, value in fields)
        scope = {"method": method, "path": "", "raw_path": self.url.partition(b"#")[0].partition(b"?")[0]}
        write_access_line(scope, seen, response.status_code, len(body), 0)
        return STATUS_LINE[response.status_code] + head + b"\r\n" + body

    def _start_timer(self) -> None:
        _, seconds = bounds()
        self._head_timer = self.loop.call_later(seconds, self.shutdown)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _too_large(most: int) -> Problem:
    return Problem(HEADERS_TOO_LARGE, f"Request line and header fields have at most {most:,} bytes.")


def _problem_of(error: httptools.HttpParserError) -> Problem:
    """What httptools gives up for, in its words: they are about the rule, and hold nothing that was sent."""
    cause = error.__context__
    if isinstance(cause, Problem):
        return cause
    if isinstance(error, httptools.HttpParserCallbackError):
        reason = "its address is not one" if isinstance(cause, httptools.HttpParserInvalidURLError) else ""
    else:
        reason = str(error)
    return Problem(BAD_REQUEST, f"The request could not be read: {reason}." if reason else None)
