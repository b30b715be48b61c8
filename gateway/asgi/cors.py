"""CORS as Starlette does it, with the headers of ordinary answers prepared instead of put together each time.

A browser does not tell a page why it may not call, so the log does: of each preflight request that is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.asgi.frame import RawHeader
from gateway.logging import redact_text

ASKING: Final = "access-control-request-method"
"""The header field that makes a preflight request of OPTIONS."""
MAX_LOGGED: Final = 200

log = structlog.get_logger("gateway.asgi.cors")


class Cors(CORSMiddleware):
    """Lets the pages of `allow_origins`, and of those that match `allow_origin_regex`, read answers.

    Without credentials, so `*` may be among them.

    Of the headers in `exposed_if_sent` only those are named, in a line of their own, that the answer has.

    Preflight requests are Starlette's. Answers get the same headers as from it, save that `Vary` is a line of its own
    where the answer has one already (RFC 9110, section 5.3: the same thing).
    """

    def __init__(
        self,
        app: ASGIApp,
        allow_origins: Sequence[str],
        allow_methods: Sequence[str],
        allow_headers: Sequence[str],
        expose_headers: Sequence[str],
        max_age: int,
        exposed_if_sent: Sequence[str] = (),
        allow_origin_regex: str | None = None,
    ) -> None:
        super().__init__(
            app,
            allow_origins=allow_origins,
            allow_methods=allow_methods,
            allow_headers=allow_headers,
            expose_headers=expose_headers,
            max_age=max_age,
            allow_origin_regex=allow_origin_regex,
        )
        self._exposed_if_sent = {name.lower().encode(): name.encode() for name in exposed_if_sent}
        vary = (b"vary", b"Origin")
        simple = [(name.lower().encode(), value.encode()) for name, value in self.simple_headers.items()]
        self._same_origin: list[RawHeader] = [vary]
        self._simple = simple
        self._stranger: list[RawHeader] = [*simple, vary]
        self._allowed: dict[bytes, list[RawHeader]] = {}
        if not self.allow_all_origins:
            self._allowed = {
                origin.encode(): [*simple, (b"access-control-allow-origin", origin.encode()), vary]
                for origin in allow_origins
            }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await super().__call__(scope, receive, send)
            return
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        headers = self._same_origin if origin is None else self._allowed.get(origin) or self._matched(origin)

        def with_cors(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                more = self._exposed(given) if origin is not None else ()
                message = {**message, "headers": [*given, *headers, *more]}
            return send(message)

        await self.app(scope, receive, with_cors)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code >= 400:
            _tell(request_headers, bytes(response.body).decode())
        return response

    def _matched(self, origin: bytes) -> list[RawHeader]:
        """The headers for an origin that is not named."""
        pattern = self.allow_origin_regex
        if pattern is None or not pattern.fullmatch(origin.decode("latin-1")):
            return self._stranger
        return [*self._simple, (b"access-control-allow-origin", origin), (b"vary", b"Origin")]

    def _exposed(self, headers: Iterable[RawHeader]) -> Iterable[RawHeader]:
        names = [self._exposed_if_sent[name] for name, _ in headers if name in self._exposed_if_sent]
        return [(b"access-control-expose-headers", b", ".join(names))] if names else ()


class NoCors:
    """Where pages of no other origin may call: tells so in the log when one asks, and leaves the answer to the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    # Not a coroutine function: it passes the application's own awaitable on.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and ASKING in headers:
                _tell(headers, "Disallowed CORS origin")
        return self.app(scope, receive, send)


def _tell(headers: Headers, why: str) -> None:
    """Log a refused preflight request. What is quoted of it is cut short, and redacted."""
    origin, method = (redact_text(headers.get(name, "")[:MAX_LOGGED]) for name in ("origin", ASKING))
    log.warning(
        "preflight_refused", reason=why, origin=origin, asked_method=method,
        hint="BACKEND_CORS_ORIGINS names the origins whose pages may call." if "origin" in why else None,
    )  # fmt: skip
