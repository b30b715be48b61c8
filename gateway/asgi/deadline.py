"""The deadline of every request: REQUEST_TIMEOUT_SECONDS from its headers to the first byte of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.catalogue.problems import Problem
from services.process.deadline import Deadline, DeadlineError


class RequestDeadline:
    """Gives a request up that takes too long, and answers `deadline_exceeded` (504).

    An answer that has begun is left to end: a stream may be long. Requests that are `spared` have none. What a
    WebSocket carries has deadlines of its own.
    """

    def __init__(
        self, app: ASGIApp, seconds: float, write: Callable[[Scope, Problem], Response],
        spared: Callable[[Scope], bool] = lambda scope: False,
    ) -> None:  # fmt: skip
        self.app, self.seconds, self.write, self.spared = app, seconds, write, spared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.spared(scope):
            await self.app(scope, receive, send)
            return
        deadline, started, late = Deadline(self.seconds), False, False

        def watch(message: Message) -> Awaitable[None]:
            nonlocal started, late
            if not started:
                if not deadline.hold():
                    late = True
                    return asyncio.sleep(0)  # the cancellation on its way arrives here
                started = True
            return send(message)

        try:
            with deadline:
                await self.app(scope, receive, watch)
        except DeadlineError:
            late = True
        if late and not started:
            response = self.write(scope, DeadlineError(self.seconds))
            # There may be a body that nobody has read, or the rest of one.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
