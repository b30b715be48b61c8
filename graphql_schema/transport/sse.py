"""GraphQL over server-sent events: the protocol of graphql-sse in distinct connections mode, one operation per request.

The result is an event `next`, and `complete` is the last event. An error of the operation is a `next` with `errors`,
because a browser's EventSource hides any other answer than a stream from its page. Problems with an HTTP status of
their own are answered without a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
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
    """Sends the result of one operation as events. `of_http` says which Problems are answered without a stream."""

    def __init__(self, request_context: HTTPRequestContext, send: Send, of_http: Callable[[Problem], bool]) -> None:
        self._asking, self._send, self._of_http = request_context, send, of_http
        self._started = False

    async def serve(self, result: Coroutine[Any, Any, ExecutionResult], receive: Receive) -> None:
        """Send the stream until it ends, or the client disconnects. A disconnect cancels what changes nothing.

        Raises the Problems for which `of_http` is true, as long as nothing has been sent.
        """
        disconnect = asyncio.ensure_future(_disconnected(receive))
        running = asyncio.create_task(result)
        try:
            while True:
                await asyncio.wait(
                    {disconnect, running}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if running.done():
                    body = orjson.dumps(self._body_of(running))
                    await self._write(b"event: next\ndata: " + body + b"\n\n" + _COMPLETE)
                    await self._send({"type": "http.response.body", "body": b""})
                    return
                if disconnect.done():
                    break
                await self._write(_COMMENT)
            if self._asking.changing:
                await running
        finally:
            await _cancel(disconnect, running)

    def _body_of(self, running: asyncio.Task[ExecutionResult]) -> dict[str, Any]:
        try:
            return running.result().body
        except InvalidDocumentError as refused:
            return {"errors": refused.errors}
        except Problem as problem:
            if self._of_http(problem) and not self._started:
                raise
            return {"errors": [error_json(problem)]}

    async def _write(self, text: bytes) -> None:
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if self._asking.scope["method"] != "HEAD":
            await self._send({"type": "http.response.body", "body": text, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
