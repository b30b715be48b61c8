"""GraphQL over WebSocket: the protocol graphql-transport-ws of the package graphql-ws.

One handler a socket. A task reads messages one after the other, each operation runs in a task of its own and asks for
the actor anew, so that nothing outlives a token. Strawberry's handler is not used: its context lives as long as the
socket, and it takes any token at `connection_init`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from starlette.types import Receive, Scope, Send

from graphql_schema.errors import RefusedError, error_json, internal_problem
from graphql_schema.http import Asking, GraphQLRequest, parameters_of
from graphql_schema.origins import check_origin
from graphql_schema.running import Outcome
from graphql_schema.transports import Line, Transports
from services.auth.authentication import API_KEY, AUTHORIZATION, Authenticator
from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_TOKEN, TOO_MANY_REQUESTS

PROTOCOL: Final = "graphql-transport-ws"
ON_SHUTDOWN: Final = "gateway.on_shutdown"
"""The ASGI extension, a list, of what a server that stops calls instead of cutting the socket."""
MAX_ID: Final = 200
"""Characters of an operation's id."""

GOING_AWAY: Final = (1001, "Going away")
TOO_BIG: Final = (1009, "Message too big")
TRY_AGAIN_LATER: Final = (1013, "Try again later")
UNAUTHORIZED: Final = (4401, "Unauthorized")
FORBIDDEN: Final = (4403, "Forbidden")
NO_SUBPROTOCOL: Final = (4406, "Subprotocol not acceptable")
INIT_TIMEOUT: Final = (4408, "Connection initialisation timeout")
TOO_MANY_INITS: Final = (4429, "Too many initialisation requests")

_CREDENTIALS: Final = (AUTHORIZATION, API_KEY)
_KEPT: Final = frozenset({*_CREDENTIALS, b"user-agent", b"host"})
"""Header fields of the handshake that count for each operation."""

Results: TypeAlias = Callable[[Asking, GraphQLRequest], AsyncGenerator[Outcome]]


class _CloseError(Exception):
    """The socket has to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(slots=True, eq=False)
class _Operation:
    id: str
    asking: Asking
    asked: GraphQLRequest
    task: asyncio.Task[None] | None = None


class GraphQLSocket:
    """One WebSocket, from its handshake to its end. `results` runs an operation."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, results: Results, transports: Transports) -> None:
        self._scope, self._receive, self._raw_send = scope, receive, send
        self._results, self._transports, self._limits = results, transports, transports.socket
        self._headers: list[tuple[bytes, bytes]] = [each for each in scope["headers"] if each[0] in _KEPT]
        self._ended = self._initialised = self._acknowledged = False
        self._active: dict[str, _Operation] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._handlers: Mapping[Any, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "connection_init": self._initialise,
            "ping": self._ping,
            "pong": self._pong,
            "subscribe": self._subscribe,
            "complete": self._complete,
        }

    async def serve(self) -> None:
        """Accept the socket, or refuse it by HTTP for its origin; answer until one of the two sides closes it."""
        await self._receive()  # websocket.connect
        try:
            check_origin(dict(reversed(self._scope["headers"])), self._transports.origins)
        except Problem as problem:
            await self._refuse(problem)
            return
        if PROTOCOL not in self._scope["subprotocols"]:
            await self._raw_send({"type": "websocket.accept"})
            await self._close(*NO_SUBPROTOCOL)
            return
        await self._raw_send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        self._scope.get("extensions", {}).get(ON_SHUTDOWN, []).append(lambda: self._leave(*GOING_AWAY))
        timer = asyncio.get_running_loop().call_later(self._limits.init_seconds, self._expire)
        reading = asyncio.create_task(self._read())
        try:
            both: set[asyncio.Future[Any]] = {reading, self._leaving}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                close = reading.result()
            else:
                reading.cancel()
                await self._drain()
                close = self._leaving.result()
            if close is not None:
                await self._close(*close)
        except asyncio.CancelledError:
            for each in self._running:
                each.cancel()
            raise
        finally:
            timer.cancel()
            reading.cancel()
            self._ended = True
            await self._break_off()

    async def _read(self) -> tuple[int, str] | None:
        """Handle messages, until the socket has to be closed: how. None when the client has closed it."""
        try:
            while True:
                message = await self._receive()
                if message["type"] != "websocket.receive":
                    self._ended = True
                    return None
                found = self._parsed(message.get("text"))
                await self._handlers[found["type"]](found)
        except _CloseError as close:
            return close.code, close.reason

    def _parsed(self, text: str | None) -> dict[str, Any]:
        """A message. Closes for what is none."""
        if text is None:
            raise _invalid("messages are text")
        data = text.encode(errors="replace")
        if len(data) > self._limits.message_bytes:
            raise _CloseError(*TOO_BIG)
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise _invalid("not JSON") from None
        kind = found.get("type") if isinstance(found, dict) else None
        if not isinstance(kind, str) or kind not in self._handlers:
            raise _invalid("no message of this protocol")
        payload = found.get("payload")
        if not isinstance(payload, (dict, type(None))):
            raise _invalid("`payload` must be an object")
        return dict(found)

    async def _initialise(self, message: dict[str, Any]) -> None:
        if self._initialised:
            raise _CloseError(*TOO_MANY_INITS)
        self._initialised = True
        self._headers += _credentials(message.get("payload") or {})
        asking = self._asking()
        try:
            await asking.gateway.part(Authenticator).actor(asking.presented)
        except Problem as problem:
            if problem.type is BAD_REQUEST:
                raise _invalid(problem.detail) from None
            raise _CloseError(*(FORBIDDEN if problem.type is INVALID_TOKEN else TRY_AGAIN_LATER)) from None
        self._acknowledged = True
        await self._send({"type": "connection_ack"})

    async def _ping(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def _pong(self, message: dict[str, Any]) -> None:
        """It needs no answer: whether the other side lives is the WebSocket's own business."""

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if not self._acknowledged:
            raise _CloseError(*UNAUTHORIZED)
        name = _id(message)
        if name in self._active:
            raise _CloseError(4409, f"Subscriber for {_short(name)} already exists")
        try:
            asked = parameters_of(message.get("payload"))
        except Problem as problem:
            raise _invalid(problem.detail) from None
        operation = self._active[name] = _Operation(name, self._asking(), asked)
        if len(self._running) >= self._limits.operations:
            with self._transports.framed(self._scope) as line:
                detail = f"A WebSocket may have {self._limits.operations} operations at once: wait for one to end."
                await self._fail(operation, Problem(TOO_MANY_REQUESTS, detail, retry_after=1), line)
            return
        operation.task = asyncio.create_task(self._operate(operation))
        self._running.add(operation.task)
        operation.task.add_done_callback(self._running.discard)

    async def _complete(self, message: dict[str, Any]) -> None:
        operation = self._active.pop(_id(message), None)
        if operation is not None and operation.task is not None and not operation.asking.changing:
            operation.task.cancel()

    async def _operate(self, operation: _Operation) -> None:
        """Run an operation and send what comes of it, framed as a request is."""
        with self._transports.framed(self._scope) as line:
            try:
                async with aclosing(self._results(operation.asking, operation.asked)) as results:
                    async for outcome in results:
                        await self._tell(operation, {"type": "next", "payload": outcome.body}, line)
                await self._tell(operation, {"type": "complete"}, line)
                line.status = 200
            except RefusedError as refused:
                line.status = refused.status
                await self._tell(operation, {"type": "error", "payload": refused.errors}, line)
            except Problem as problem:
                await self._fail(operation, problem, line)
                if problem.type is INVALID_TOKEN:
                    # What came with connection_init is worth nothing any more, and cannot be replaced.
                    self._leave(*FORBIDDEN)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller learns that, and no more
                await self._fail(operation, internal_problem(error, None), line)

    async def _fail(self, operation: _Operation, problem: Problem, line: Line) -> None:
        line.status = problem.type.status
        await self._tell(operation, {"type": "error", "payload": [error_json(problem)]}, line)

    async def _tell(self, operation: _Operation, message: dict[str, Any], line: Line) -> None:
        """Send a message about an operation, unless the client has completed it."""
        if self._active.get(operation.id) is not operation:
            return
        if message["type"] != "next":
            del self._active[operation.id]
        line.sent += await self._send({"id": operation.id, **message})

    async def _send(self, message: dict[str, Any]) -> int:
        """Send a message; returns its bytes. What nobody can receive any more is dropped."""
        if self._ended:
            return 0
        text = orjson.dumps(message).decode()
        try:
            await self._raw_send({"type": "websocket.send", "text": text})
        except OSError:  # the client has gone, which `receive` is about to say
            return 0
        return len(text)

    async def _close(self, code: int, reason: str) -> None:
        self._ended = True
        try:
            await self._raw_send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
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

    def _asking(self) -> Asking:
        """An operation as a request of its own. It may change things, as by POST."""
        scope = {**self._scope, "method": "POST", "headers": self._headers}
        return Asking(scope, dict(reversed(self._headers)))

    def _expire(self) -> None:
        if not self._initialised:
            self._leave(*INIT_TIMEOUT)

    def _leave(self, code: int, reason: str) -> None:
        """Close the socket once the operations that run have ended; no further ones are begun."""
        if not self._leaving.done():
            self._leaving.set_result((code, reason))

    async def _drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running)

    async def _break_off(self) -> None:
        """End the operations that nobody waits for any more; what changes things is let finish."""
        for each in self._active.values():
            if each.task is not None and not each.asking.changing:
                each.task.cancel()
        self._active.clear()
        await self._drain()


def _invalid(why: str) -> _CloseError:
    return _CloseError(4400, f"Invalid message received: {_short(why)}")


def _short(text: str) -> str:
    """Cut to what a close frame has room for (RFC 6455, section 5.5)."""
    return text.encode()[:60].decode(errors="ignore")


def _id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID:
        raise _invalid(f"`id` must be a string of at most {MAX_ID} characters")
    return found


def _credentials(payload: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The credentials in a `connection_init`, as the header fields of their names."""
    found = []
    for name, value in payload.items():
        field = name.lower().encode()
        if field in _CREDENTIALS and value is not None:
            if not isinstance(value, str):
                raise _invalid(f"`{field.decode()}` must be a string")
            found.append((field, value.encode()))
    return found
