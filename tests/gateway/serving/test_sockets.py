"""WebSockets on a real server: what uvicorn does with them, and how they end when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.serving import sockets
from gateway.serving.sockets import SocketProtocol
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.factories import key_of, make_item
from tests.support.races import held_up, loaded
from tests.support.remembered import eventually
from tests.support.server import LiveServer
from tests.support.sockets import subscribe

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
KEY: Final = "x3JJHMbDL1EzLkh9GBhXDw=="
RENAME = 'mutation($id: ID!) { updateItem(input: {id: $id, title: "Renamed"}) { item { title } } }'


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """The application behind uvicorn, in this process: the server, and the address of its sockets."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", log_config=None, access_log=False, ws=SocketProtocol, ws_max_size=1_000_000
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"ws://127.0.0.1:{port}/graphql"
    finally:
        async with asyncio.timeout(10):
            await server.shutdown()


@asynccontextmanager
async def client(url: str, account: Account | None = None) -> AsyncIterator[ClientConnection]:
    """A client that has said who it is."""
    async with connect(url, subprotocols=[PROTOCOL]) as socket:
        await send(socket, {"type": "connection_init", "payload": account.headers if account else {}})
        assert await receive(socket) == {"type": "connection_ack"}
        yield socket


async def send(socket: ClientConnection, message: Any) -> None:
    await socket.send(orjson.dumps(message).decode())


async def receive(socket: ClientConnection) -> Any:
    return orjson.loads(await socket.recv())


async def close_code(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    return socket.close_code


async def test_server_that_stops_waits_for_operations_and_says_that_it_goes(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account
) -> None:
    item = await make_item(rest, ada)
    async with serving(app) as (server, url), client(url, ada) as busy, client(url) as idle:
        async with loaded(gateway, ada, "item", key_of(item["id"]), "update"):
            await send(busy, subscribe("1", RENAME, {"id": item["id"]}))
            answer = await held_up(gateway, receive(busy))
            stopping = asyncio.create_task(server.shutdown())
            assert await close_code(idle) == 1001
            assert not answer.done()
        assert (await answer)["payload"] == {"data": {"updateItem": {"item": {"title": "Renamed"}}}}
        assert await receive(busy) == {"id": "1", "type": "complete"}
        assert await close_code(busy) == 1001
        await stopping


async def test_application_that_does_not_wait_is_cut_off() -> None:
    async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with serving(deaf) as (server, url), connect(url) as socket:
        await asyncio.gather(server.shutdown(), close_code(socket))
        assert socket.close_code == 1012


async def test_client_that_vanishes_is_no_error(app: FastAPI, ada: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[str] = []
    monkeypatch.setattr(sockets.log, "exception", failures.append)
    with capture_logs() as logs:
        await vanish(app, ada)
    assert failures == []
    assert {each["event"] for each in logs} == {"request"}


async def vanish(app: FastAPI, account: Account) -> None:
    """Begin operations, and cut the connection; returns when the server has nothing more to do."""
    async with serving(app) as (server, url):
        async with client(url, account) as socket:
            for number in range(5):
                await send(socket, subscribe(str(number), "{ users(first: 50) { nodes { username } } }"))
            socket.transport.abort()

        async def idle() -> bool:
            return not (server.server_state.connections or server.server_state.tasks)

        await eventually(idle)


async def test_message_that_is_too_long_is_not_even_read(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr(sockets.log, "exception", failures.append)
    item = await make_item(rest, ada)
    with capture_logs() as logs:
        await exceed(app, gateway, ada, item["id"])
    assert failures == []
    assert {each["event"] for each in logs} == {"request"}
    assert (await rest.ok("get_item", ada, id=item["id"]))["title"] == "Renamed"


async def exceed(app: FastAPI, gateway: Gateway, account: Account, item: str) -> None:
    """Begin to rename an item, and send too long a message before it is done."""
    async with (
        serving(app) as (_, url),
        client(url, account) as socket,
        loaded(gateway, account, "item", key_of(item), "update"),
    ):
        await send(socket, subscribe("1", RENAME, {"id": item}))
        closed = await held_up(gateway, close_code(socket))
        await socket.send("x" * 1_000_001)
        assert await closed == 1009


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "csrf_suspected"),
        ({"X-Dry-Run": "cost"}, 400, "bad_request"),
    ],
    ids=["origin", "dry run"],
)
async def test_handshake_that_is_refused_is_a_problem_and_no_error(
    app: FastAPI, fields: dict[str, str], status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        async with serving(app) as (_, url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, subprotocols=[PROTOCOL], additional_headers=fields)
    response = refused.value.response
    assert response.status_code == status
    assert orjson.loads(response.body or b"")["errors"][0]["extensions"]["code"] == code
    assert [(each["event"], each["method"], each["status"]) for each in logs] == [("request", "WS", status)]
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("address", "version", "key"),
    [("/graphql", "13", "short"), ("/graphql", "7", KEY), ("/nope", "13", KEY)],
    ids=["key", "version", "address"],
)
async def test_handshake_that_is_none_is_no_error(
    app: FastAPI, address: str, version: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(app) as (_, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(
            f"GET {address} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.1 4")
        writer.close()
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_query_string_of_a_socket_is_not_logged(live: LiveServer) -> None:
    url = f"{live.url.replace('http', 'ws', 1)}/graphql?token=hunter2"
    async with client(url) as socket:
        await send(socket, subscribe("1", "{ __typename }"))
        assert (await receive(socket))["payload"] == {"data": {"__typename": "Query"}}
        assert await receive(socket) == {"id": "1", "type": "complete"}
        await socket.ping()
    log = live.log.read_text(encoding="utf-8")
    assert '"method":"WS","path":"/graphql"' in log
    assert "hunter2" not in log
    assert "[accepted]" not in log
