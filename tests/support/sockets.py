"""WebSockets to an application in process: what is received first is read first, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson

PROTOCOL: Final = "graphql-transport-ws"
WAIT_SECONDS: Final = 10


class Socket:
    """The client's end. `opened` is the application's answer to the handshake."""

    def __init__(self, app: Any, headers: Mapping[str, str], subprotocols: Sequence[str]) -> None:
        self._app = app
        self._to, self._from = asyncio.Queue[Any](), asyncio.Queue[Any]()
        self._scope = {
            "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "scheme": "ws", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"gateway.test"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
            "client": ("192.0.2.1", 50_000), "server": ("gateway.test", 80), "subprotocols": list(subprotocols),
            "extensions": {"websocket.http.response": {}, "gateway.on_shutdown": []},
        }  # fmt: skip
        self.opened: dict[str, Any] = {}
        self.task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Shake hands."""
        self._to.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._app(self._scope, self._to.get, self._from.put))
        self.opened = await self.message()

    def send(self, *messages: Any) -> None:
        """Send messages at once: objects as JSON, texts and bytes as they are."""
        for each in messages:
            kind = "bytes" if isinstance(each, bytes) else "text"
            data = each if isinstance(each, (str, bytes)) else orjson.dumps(each).decode()
            self._to.put_nowait({"type": "websocket.receive", kind: data})

    async def init(self, payload: Any = None) -> Any:
        """Say who one is; returns the answer."""
        self.send({"type": "connection_init", **({} if payload is None else {"payload": payload})})
        return await self.receive()

    async def message(self) -> dict[str, Any]:
        """The next ASGI message."""
        async with asyncio.timeout(WAIT_SECONDS):
            found: dict[str, Any] = await self._from.get()
        return found

    async def receive(self) -> Any:
        """The next message of the protocol."""
        found = await self.message()
        assert found["type"] == "websocket.send", found
        return orjson.loads(found["text"])

    async def closed(self) -> int:
        """The code by which the socket is closed, which must be the next thing that happens."""
        found = await self.message()
        assert found["type"] == "websocket.close", found
        assert len(found["reason"].encode()) <= 123
        await self.over()
        return int(found["code"])

    async def over(self) -> None:
        """Until the application has nothing more to do with it; nothing may be left to read."""
        assert self.task is not None
        async with asyncio.timeout(WAIT_SECONDS):
            await self.task
        assert self._from.empty()

    def leave(self) -> None:
        """Go, without waiting for anything."""
        self._to.put_nowait({"type": "websocket.disconnect", "code": 1001})

    def shut_down(self) -> None:
        """What a server does that stops."""
        extensions: Any = self._scope["extensions"]
        for each in extensions["gateway.on_shutdown"]:
            each()

    async def run(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Run an operation that has one result; returns its body."""
        self.send(subscribe("run", query, variables))
        answer = await self.receive()
        assert (answer["id"], answer["type"]) == ("run", "next"), answer
        assert await self.receive() == {"id": "run", "type": "complete"}
        return answer["payload"]

    async def ping(self) -> None:
        """Show that the socket lives, and that nothing was sent before."""
        self.send({"type": "ping"})
        assert await self.receive() == {"type": "pong"}


@asynccontextmanager
async def socket_to(
    app: Any, headers: Mapping[str, str] | None = None, subprotocols: Sequence[str] = (PROTOCOL,)
) -> AsyncIterator[Socket]:
    """A socket whose handshake is over; it is left at the end."""
    found = Socket(app, headers or {}, subprotocols)
    await found.open()
    try:
        yield found
    finally:
        found.leave()
        assert found.task is not None
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait({found.task})


@asynccontextmanager
async def connected(app: Any, headers: Mapping[str, str] | None = None) -> AsyncIterator[Socket]:
    """A socket whose client has said who it is, by these header fields."""
    async with socket_to(app) as socket:
        assert await socket.init(headers) == {"type": "connection_ack"}
        yield socket


def subscribe(name: str, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The message that begins an operation."""
    return {"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}}
