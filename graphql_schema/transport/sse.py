"""GraphQL over server-sent events: graphql-sse's protocol, in the mode of distinct connections, an operation a request.

Each result is an event `next`, and `complete` is the last one. What is wrong with the operation comes as a `next` with
`errors`, since a browser's EventSource shows its page nothing of an answer that is no stream; what HTTP itself refuses
is answered by HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from graphql_schema.execution.running import Outcome
from graphql_schema.schema.errors import RefusedError, error_json
from graphql_schema.transport.http import Asking
from graphql_schema.transport.negotiation import Form
from services.catalogue import Problem

KEEP_ALIVE_SECONDS: Final = 12.0
"""How long a stream is silent before a comment is sent, so that nothing on the way takes it for dead."""

_HEADERS: Final = [
    (b"content-type", f"{Form.EVENTS.value}; charset=utf-8".encode()),
    (b"vary", b"Accept"),
    (b"x-accel-buffering", b"no"),  # nginx would keep the events until the stream has ended
]
_COMMENT: Final = b":\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"


class EventStream:
    """The results of one operation as events. `of_http` says which Problems HTTP answers."""

    def __init__(
        self, asking: Asking, results: AsyncGenerator[Outcome], send: Send, of_http: Callable[[Problem], bool]
    ) -> None:
        self._asking, self._results, self._send, self._of_http = asking, results, send, of_http
        self._started = False

    async def serve(self, receive: Receive) -> None:
        """Send the stream, until it ends or the client goes: then what does not change things is broken off.

        Raises Problems that HTTP answers, while nothing has been sent.
        """
        gone = asyncio.ensure_future(_gone(receive))
        result = self._next()
        try:
            while True:
                await asyncio.wait({gone, result}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if result.done():
                    if not await self._tell(result):
                        return
                    result = self._next()
                elif gone.done():
                    break
                else:
                    await self._write(_COMMENT)
            if self._asking.changing:
                await result
        finally:
            await _cancelled(gone, result)
            await self._results.aclose()

    def _next(self) -> asyncio.Task[Outcome | None]:
        async def following() -> Outcome | None:
            return await anext(self._results, None)

        return asyncio.create_task(following())

    async def _tell(self, result: asyncio.Task[Outcome | None]) -> bool:
        """Send a result; False where it was the last."""
        try:
            outcome = result.result()
        except RefusedError as refused:
            await self._end({"errors": refused.errors})
            return False
        except Problem as problem:
            if self._of_http(problem) and not self._started:
                raise
            await self._end({"errors": [error_json(problem)]})
            return False
        if outcome is None:
            await self._end()
            return False
        await self._write(_event(outcome.body))
        return True

    async def _end(self, last: dict[str, Any] | None = None) -> None:
        await self._write((_event(last) if last else b"") + _COMPLETE)
        await self._send({"type": "http.response.body", "body": b""})

    async def _write(self, text: bytes) -> None:
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if self._asking.scope["method"] != "HEAD":
            await self._send({"type": "http.response.body", "body": text, "more_body": True})


def _event(body: dict[str, Any]) -> bytes:
    return b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for each in tasks:
        each.cancel()
    for each in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await each
