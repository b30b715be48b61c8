"""CORS as Starlette does it. The log names preflight requests that are refused, since no browser tells its page why."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import cached_property
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
_VARY: Final[RawHeader] = (b"vary", b"Origin")
_EXPOSED_TAG: Final[RawHeader] = (b"access-control-expose-headers", b"ETag")

log = structlog.get_logger("gateway.asgi.cors")


class Cors(CORSMiddleware):
    """Lets the pages of the allowed origins read answers. Without credentials, so `*` may be among them.

    Preflight requests are Starlette's. Answers get the same headers as from it, save that `Vary` is a line of its own
    where the answer has one already (RFC 9110, section 5.3: the same thing), and `ETag` is exposed, in a line of its
    own, only where the answer has it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await super().__call__(scope, receive, send)
            return
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        headers = [_VARY] if origin is None else self._headers(origin)

        def with_cors(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                has_tag = origin is not None and any(name == b"etag" for name, _ in given)
                message = {**message, "headers": [*given, *headers, *([_EXPOSED_TAG] if has_tag else [])]}
            return send(message)

        await self.app(scope, receive, with_cors)

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code >= 400:
            _tell(request_headers, bytes(response.body).decode())
        return response

    def _headers(self, origin: bytes) -> list[RawHeader]:
        headers = [*self._simple, _VARY]
        if not self.allow_all_origins and self.is_allowed_origin(origin.decode("latin-1")):
            headers.append((b"access-control-allow-origin", origin))
        return headers

    @cached_property
    def _simple(self) -> list[RawHeader]:
        return [(name.lower().encode(), value.encode()) for name, value in self.simple_headers.items()]


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
