"""GraphQL over WebSocket: the protocol graphql-transport-ws of the package graphql-ws.

Each socket has one handler. One task reads the messages in order, and each operation runs in a task of its own and
authenticates again, so that no operation starts with an expired token. Strawberry's handler is not used, because its
context lives as long as the socket, and it accepts any token at `connection_init`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from starlette.types import Receive, Scope, Send

from graphql_schema.documents.requests import GraphQLRequest
from graphql_schema.execution.running import ExecutionResult
from graphql_schema.schema.errors import InvalidDocumentError, error_json, internal_problem
from graphql_schema.transport.http import HTTPRequestContext, MalformedRequestError, parse_parameters
from graphql_schema.transport.origins import check_origin
from graphql_schema.transport.transport_ws import (
    CREDENTIALS,
    FORBIDDEN,
    GOING_AWAY,
    INIT_TIMEOUT,
    NO_SUBPROTOCOL,
    PROTOCOL,
    TOO_MANY_INITS,
    TRY_AGAIN_LATER,
    TYPES,
    UNAUTHORIZED,
    CloseError,
    check_not_dry,
    credentials,
    invalid,
    operation_id,
    parse_message,
    shortened,
)
from graphql_schema.transport.transports import Line, Transports
from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_TOKEN, TOO_MANY_REQUESTS
from services.identity.auth.authentication import Authenticator
from services.process.deadline import Deadline
from services.process.shutdown import ON_SHUTDOWN

_KEPT: Final = frozenset({*CREDENTIALS, b"user-agent", b"host"})
"""The header fields of the handshake that are passed to every operation."""

Run: TypeAlias = Callable[[HTTPRequestContext, GraphQLRequest], Awaitable[ExecutionResult]]


@dataclass(slots=True, eq=False)
class _Operation:
    id: str
    request_context: HTTPRequestContext
    request: GraphQLRequest
    task: asyncio.Task[None] | None = None

    def cancel_read(self) -> None:
        """Cancel the operation if it changes nothing."""
        if self.task is not None and not self.request_context.changing:
            self.task.cancel()


class GraphQLSocket:
    """Serves one WebSocket from its handshake to its end. `run` runs an operation."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, run: Run, transports: Transports) -> None:
        self._scope, self._receive, self._raw_send = scope, receive, send
        self._execute, self._transports, self._limits = run, transports, transports.socket
        self._headers: list[tuple[bytes, bytes]] = [(name, value) for name, value in scope["headers"] if name in _KEPT]
        self._ended = self._initialised = self._acknowledged = False
        self._active: dict[str, _Operation] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        handlers = (self._initialise, self._ping, self._pong, self._subscribe, self._complete)
        self._handlers: Mapping[str, Callable[[dict[str, Any]], Awaitable[None]]] = dict(
            zip(TYPES, handlers, strict=True)
        )

    async def serve(self) -> None:
        """Accept the socket and serve it until either side closes it.

        A handshake of a foreign origin, or one that asks for dry runs, is refused with an HTTP response.
        """
        with self._transports.framed(self._scope) as line:
            line.status = await self._shake_hands()
        if line.status == 101 and not self._ended:
            await self._serve()

    async def _shake_hands(self) -> int:
        """Answer the handshake and return its status: 101 if the WebSocket is accepted."""
        await self._receive()  # websocket.connect
        try:
            headers = dict(reversed(self._scope["headers"]))
            check_origin(headers, self._transports.origins)
            check_not_dry(headers)
        except Problem as problem:
            await self._refuse(problem)
            return problem.type.status
        if PROTOCOL in self._scope["subprotocols"]:
            await self._raw_send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        else:
            await self._raw_send({"type": "websocket.accept"})
            await self._close(*NO_SUBPROTOCOL)
        return 101

    async def _serve(self) -> None:
        self._scope.get("extensions", {}).get(ON_SHUTDOWN, []).append(lambda: self._leave(*GOING_AWAY))
        timer = asyncio.get_running_loop().call_later(self._limits.init_seconds, self._expire)
        reading = asyncio.create_task(self._read())
        try:
            endings: set[asyncio.Future[Any]] = {reading, self._leaving}
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                close = reading.result()
            else:
                reading.cancel()
                await self._drain()
                close = self._leaving.result()
            if close is not None:
                await self._close(*close)
        except asyncio.CancelledError:
            for task in self._running:
                task.cancel()
            raise
        finally:
            timer.cancel()
            reading.cancel()
            self._ended = True
            # Those that change nothing are cancelled; the others are waited for.
            for operation in self._active.values():
                operation.cancel_read()
            self._active.clear()
            await self._drain()

    async def _read(self) -> tuple[int, str] | None:
        """Handle messages. Return the code and reason to close the socket with, or None if the client closed it."""
        limits = self._scope["app"].state.gateway.limits
        try:
            while True:
                frame = await self._receive()
                if frame["type"] != "websocket.receive":
                    self._ended = True
                    return None
                message = parse_message(frame.get("text"), self._limits.message_bytes, limits)
                await self._handlers[message["type"]](message)
        except CloseError as close:
            return close.code, close.reason

    async def _initialise(self, message: dict[str, Any]) -> None:
        if self._initialised:
            raise CloseError(*TOO_MANY_INITS)
        self._initialised = True
        self._headers += credentials(message.get("payload") or {})
        request_context = self._asking()
        try:
            await request_context.gateway.part(Authenticator).actor(request_context.presented)
        except Problem as problem:
            if problem.type is BAD_REQUEST:
                raise invalid(problem.detail) from None
            raise CloseError(*(FORBIDDEN if problem.type is INVALID_TOKEN else TRY_AGAIN_LATER)) from None
        self._acknowledged = True
        await self._send({"type": "connection_ack"})

    async def _ping(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def _pong(self, message: dict[str, Any]) -> None:
        """Ignore it: the server's WebSocket implementation checks whether the client is alive."""

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if not self._acknowledged:
            raise CloseError(*UNAUTHORIZED)
        identifier = operation_id(message)
        if identifier in self._active:
            raise CloseError(4409, f"Subscriber for {shortened(identifier)} already exists")
        request_context = self._asking()
        try:
            request = parse_parameters(
                message.get("payload"), self._limits.message_bytes, request_context.gateway.limits
            )
            if len(self._running) >= self._limits.operations:
                detail = f"A WebSocket may have {self._limits.operations} operations at once: wait for one to end."
                raise Problem(TOO_MANY_REQUESTS, detail, retry_after=1)
        except MalformedRequestError as malformed:
            raise invalid(malformed.detail) from None
        except Problem as problem:
            with self._transports.framed(self._scope) as line:
                line.status = problem.type.status
                line.sent += await self._send({"id": identifier, "type": "error", "payload": [error_json(problem)]})
            return
        operation = self._active[identifier] = _Operation(identifier, request_context, request)
        operation.task = asyncio.create_task(self._run(operation))
        self._running.add(operation.task)
        operation.task.add_done_callback(self._running.discard)

    async def _complete(self, message: dict[str, Any]) -> None:
        operation = self._active.pop(operation_id(message), None)
        if operation is not None:
            operation.cancel_read()

    async def _run(self, operation: _Operation) -> None:
        """Run an operation and send its result."""
        with self._transports.framed(self._scope) as line:
            try:
                with Deadline(self._limits.operation_seconds):
                    outcome = await self._execute(operation.request_context, operation.request)
                await self._send_about(operation, {"type": "next", "payload": outcome.body}, line)
                await self._send_about(operation, {"type": "complete"}, line)
                line.status = 200
            except InvalidDocumentError as refused:
                line.status = refused.status
                await self._send_about(operation, {"type": "error", "payload": refused.errors}, line)
            except Problem as problem:
                await self._fail(operation, problem, line)
                if problem.type is INVALID_TOKEN:
                    # The client cannot replace the credentials that it sent with connection_init.
                    self._leave(*FORBIDDEN)
            except Exception as error:  # noqa: BLE001 - logged, and sent as internal_error
                await self._fail(operation, internal_problem(error, None), line)

    async def _fail(self, operation: _Operation, problem: Problem, line: Line) -> None:
        line.status = problem.type.status
        await self._send_about(operation, {"type": "error", "payload": [error_json(problem)]}, line)

    async def _send_about(self, operation: _Operation, message: dict[str, Any], line: Line) -> None:
        """Send a message about an operation, unless the client has completed it."""
        if self._active.get(operation.id) is not operation:
            return
        if message["type"] != "next":
            del self._active[operation.id]
        line.sent += await self._send({"id": operation.id, **message})

    async def _send(self, message: dict[str, Any]) -> int:
        """Send a message and return its size, or drop it and return 0 if the socket is closed."""
        if self._ended:
            return 0
        text = orjson.dumps(message).decode()
        try:
            await self._raw_send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):  # closed by the client or the server, which `_read` is about to receive
            return 0
        return len(text)

    async def _close(self, code: int, reason: str) -> None:
        self._ended = True
        try:
            await self._raw_send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            return

    async def _refuse(self, problem: Problem) -> None:
        if "websocket.http.response" not in self._scope.get("extensions", {}):
            await self._raw_send({"type": "websocket.close", "code": FORBIDDEN[0]})
            return
        headers = [(b"content-type", b"application/json; charset=utf-8")]
        start = {"type": "websocket.http.response.start", "status": problem.type.status, "headers": headers}
        await self._raw_send(start)
        body = orjson.dumps({"errors": [error_json(problem)]})
        await self._raw_send({"type": "websocket.http.response.body", "body": body})

    def _asking(self) -> HTTPRequestContext:
        """Return the request of an operation, which may change something as a POST may."""
        scope = {**self._scope, "method": "POST", "headers": self._headers}
        return HTTPRequestContext(scope, dict(reversed(self._headers)))

    def _expire(self) -> None:
        if not self._initialised:
            self._leave(*INIT_TIMEOUT)

    def _leave(self, code: int, reason: str) -> None:
        """Close the socket once the running operations have ended; start no others."""
        if not self._leaving.done():
            self._leaving.set_result((code, reason))

    async def _drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
