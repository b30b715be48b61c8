"""CORS as Starlette does it, with the headers of ordinary answers prepared instead of put together each time."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.frame import RawHeader


class Cors(CORSMiddleware):
    """Lets the pages of `allow_origins` read answers; without credentials, so `*` may be among them.

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
    ) -> None:
        super().__init__(
            app,
            allow_origins=allow_origins,
            allow_methods=allow_methods,
            allow_headers=allow_headers,
            expose_headers=expose_headers,
            max_age=max_age,
        )
        self._exposed_if_sent = {name.lower().encode(): name.encode() for name in exposed_if_sent}
        vary = (b"vary", b"Origin")
        simple = [(name.lower().encode(), value.encode()) for name, value in self.simple_headers.items()]
        self._same_origin: list[RawHeader] = [vary]
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
        headers = self._same_origin if origin is None else self._allowed.get(origin, self._stranger)

        def with_cors(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                more = self._exposed(given) if origin is not None else ()
                message = {**message, "headers": [*given, *headers, *more]}
            return send(message)

        await self.app(scope, receive, with_cors)

    def _exposed(self, headers: Iterable[RawHeader]) -> Iterable[RawHeader]:
        names = [self._exposed_if_sent[name] for name, _ in headers if name in self._exposed_if_sent]
        return [(b"access-control-expose-headers", b", ".join(names))] if names else ()
