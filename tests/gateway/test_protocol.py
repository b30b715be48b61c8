"""What comes before the body has an end, and comes in time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway import protocol as protocols
from gateway.protocol import BoundedProtocol

MOST = 1_000


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 5)})
        self.written, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that are soon exceeded."""
    monkeypatch.setattr(protocols, "bounds", lambda: (MOST, 60.0))


def connected() -> tuple[Any, Transport]:
    """A protocol with somebody on the other side."""
    config, transport = uvicorn.Config(answer, log_config=None), Transport()
    config.load()
    protocol: Any = BoundedProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(transport)
    return protocol, transport


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nhost: x\r\n", b"GET /?q="], ids=["header", "address"])
async def test_head_without_an_end_is_refused_when_it_is_too_long(start: bytes) -> None:
    protocol, transport = connected()
    protocol.data_received(start)
    sent = len(start)
    while not transport.closed:
        assert sent <= MOST
        piece = b"x" * 90 if start.endswith(b"=") else b"x: " + b"y" * 85 + b"\r\n"
        protocol.data_received(piece)
        sent += len(piece)
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert f"Content-Length: {len(body)}".encode() in head
    problem = orjson.loads(body)
    assert (problem["code"], problem["status"]) == ("headers_too_large", 431)
    assert "1,000 bytes" in problem["detail"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /?q=" + b"x" * 65_532 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"414 ", "uri_too_long"),
        (b"GET / HTTP/1.1\r\na b: c\r\n\r\n", b"400 ", "bad_request"),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"400 ", "bad_request"),
        (b"\x16\x03\x01\x02\x00", b"400 ", "bad_request"),
    ],
    ids=["address", "name of a header", "length of a body", "TLS"],
)
async def test_what_cannot_be_parsed_is_refused_as_a_problem(sent: bytes, status: bytes, code: str) -> None:
    protocol, transport = connected()
    protocol.server_state.default_headers = [(b"date", b"Tue, 24 Nov 2026 12:00:00 GMT")]
    protocol.data_received(sent)
    head, _, body = transport.written.partition(b"\r\n\r\n")
    start, *fields = head.split(b"\r\n")
    assert start.startswith(b"HTTP/1.1 " + status)
    assert sorted(fields) == [
        b"Connection: close", f"Content-Length: {len(body)}".encode(), b"Content-Type: application/problem+json",
        b"Date: Tue, 24 Nov 2026 12:00:00 GMT",
    ]  # fmt: skip
    assert (orjson.loads(body)["code"], orjson.loads(body)["status"]) == (code, int(status[:3]))
    assert transport.closed


async def test_longest_address_that_can_be_counted_is_answered() -> None:
    protocol, transport = connected()
    protocol.data_received(b"GET /?q=" + b"x" * 65_531 + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    async with asyncio.timeout(5):
        while b" 204 " not in transport.written:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)


async def test_head_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "bounds", lambda: (MOST, 0.01))
    protocol, transport = connected()
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    async with asyncio.timeout(5):
        while not transport.closed:  # noqa: ASYNC110 - it is the timer that is waited for
            await asyncio.sleep(0.005)


async def test_requests_on_one_connection_are_measured_each_by_itself() -> None:
    protocol, transport = connected()
    for number in range(1, 6):
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n")
        protocol.data_received(b"x: " + b"y" * 600 + b"\r\n")
        protocol.data_received(b"\r\n")
        async with asyncio.timeout(5):
            while transport.written.count(b" 204 ") < number:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0)
    assert protocol._head_timer is None
    assert not transport.closed


async def test_body_is_not_counted() -> None:
    protocol, transport = connected()
    protocol.data_received(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n")
    for _ in range(5):
        protocol.data_received(b"x" * 1_000)
    assert not transport.closed
