"""GraphQL over server-sent events: the protocol of graphql-sse in distinct connections mode, one operation per request.

Each result is an event `next`, and `complete` is the last event. An error of the operation is a `next` with `errors`,
because a browser's EventSource hides any other answer than a stream from its page. Problems with an HTTP status of
their own are answered without a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from graphql_schema.execution.running import ExecutionResult
from graphql_schema.schema.errors import InvalidDocumentError, error_json
from graphql_schema.transport.http import HTTPRequestContext
from graphql_schema.transport.negotiation import Form
from services.catalogue import Problem

KEEP_ALIVE_SECONDS: Final = 12.0
"""The time without an event after which a comment is sent, so that no intermediary closes the connection."""

_HEADERS: Final = [
    (b"content-type", f"{Form.EVENTS.value}; charset=utf-8".encode()),
    (b"vary", b"Accept"),
    (b"x-accel-buffering", b"no"),  # otherwise nginx buffers the events until the stream has ended
]
_COMMENT: Final = b":\n\n"
_COMPLETE: Final = b"event: complete\ndata:\n\n"


class EventStream:
    """Sends the results of one operation as events. `of_http` says which Problems are answered without a stream."""

    def __init__(
        self,
        request_context: HTTPRequestContext,
        results: AsyncGenerator[ExecutionResult],
        send: Send,
        of_http: Callable[[Problem], bool],
    ) -> None:
        self._asking, self._results, self._send, self._of_http = request_context, results, send, of_http
        self._started = False

    async def serve(self, receive: Receive) -> None:
        """Send the stream until it ends, or the client disconnects. A disconnect cancels what changes nothing.

        Raises the Problems for which `of_http` is true, as long as nothing has been sent.
        """
        disconnect = asyncio.ensure_future(_disconnected(receive))
        result = self._next()
        try:
            while True:
                await asyncio.wait(
                    {disconnect, result}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if result.done():
                    if not await self._send_result(result):
                        return
                    result = self._next()
                elif disconnect.done():
                    break
                else:
                    await self._write(_COMMENT)
            if self._asking.changing:
                await result
        finally:
            await _cancel(disconnect, result)
            await self._results.aclose()

    def _next(self) -> asyncio.Task[ExecutionResult | None]:
        async def next_result() -> ExecutionResult | None:
            return await anext(self._results, None)

        return asyncio.create_task(next_result())

    async def _send_result(self, result: asyncio.Task[ExecutionResult | None]) -> bool:
        """Send a result, and return whether more can follow."""
        try:
            outcome = result.result()
        except InvalidDocumentError as refused:
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

    async def _end(self, error: dict[str, Any] | None = None) -> None:
        await self._write((_event(error) if error else b"") + _COMPLETE)
        await self._send({"type": "http.response.body", "body": b""})

    async def _write(self, text: bytes) -> None:
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if self._asking.scope["method"] != "HEAD":
            await self._send({"type": "http.response.body", "body": text, "more_body": True})


def _event(body: dict[str, Any]) -> bytes:
    return b"event: next\ndata: " + orjson.dumps(body) + b"\n\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
