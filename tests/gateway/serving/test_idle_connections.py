"""A connection on which nothing is asked is closed, whatever else is sent on it; one that is used is kept."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat
from urllib.parse import urlsplit

import pytest

from gateway.settings import Settings
from tests.support.server import LiveServer, live_gateway

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
UPGRADE = REQUEST[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n"
POST = b"POST /health/live HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1000000\r\n\r\n"
BOUND = 3
PAUSE = 0.2
LONG = 30.0
"""Seconds by far longer than any bound of this gateway."""


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[LiveServer]:
    bounds = {"REQUEST_TIMEOUT_SECONDS": float(BOUND), "KEEP_ALIVE_SECONDS": BOUND}
    with live_gateway(settings.model_copy(update=bounds)) as found:
        yield found


def connect(server: LiveServer) -> socket.socket:
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port))


def ask(connection: socket.socket, request: bytes) -> None:
    """Send a request, and take in its whole answer."""
    connection.sendall(request)
    said = b""
    while not said.endswith(b'{"status":"ok"}'):
        found = connection.recv(65_536)
        assert found, "it was closed"
        said += found
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


def said_until_closed(server: LiveServer, first: bytes, again: bytes) -> bytes:
    """What the server says until it hangs up, while `again` is sent again and again."""
    said, deadline = b"", time.monotonic() + LONG
    with connect(server) as connection:
        connection.sendall(first)
        connection.settimeout(PAUSE)
        for piece in repeat(again):
            assert time.monotonic() < deadline, "it is open still"
            try:
                found = connection.recv(65_536)
                if not found:
                    return said
                said += found
            except TimeoutError:
                pass
            except ConnectionResetError:
                return said
            try:
                connection.sendall(piece)
            except OSError:
                return said
    raise AssertionError


NOTHING_ASKED = {
    "nothing": (b"", b""),
    "blank lines": (b"\r\n", b"\r\n"),
    "bare line feeds": (b"\n", b"\n"),
    "head without an end": (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "head byte by byte": (b"G", b""),
    "name without an end": (b"GET / HTTP/1.1\r\na", b"a"),
}

ASKED_ONCE = {
    "nothing": (REQUEST, b""),
    "blank lines": (REQUEST, b"\r\n"),
    "half a head": (REQUEST + b"GET / HTTP/1.1\r\n", b""),
    "head without an end": (REQUEST + b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "upgrade that is not heeded": (UPGRADE, b""),
    "blank lines after an upgrade": (UPGRADE, b"\r\n"),
    "body that nobody reads": (POST, b"x"),
}
Sent = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def heard(server: LiveServer) -> Iterator[Mapping[Sent, Future[bytes]]]:
    """What the server says on each connection until it hangs up. They wait for it at the same time."""
    every = [*NOTHING_ASKED.values(), *ASKED_ONCE.values()]
    with ThreadPoolExecutor(len(every)) as threads:
        yield {each: threads.submit(said_until_closed, server, *each) for each in every}


@pytest.mark.parametrize("sent", NOTHING_ASKED.values(), ids=NOTHING_ASKED)
def test_connection_that_asks_nothing_is_closed(heard: Mapping[Sent, Future[bytes]], sent: Sent) -> None:
    assert heard[sent].result() == b""


@pytest.mark.parametrize("sent", ASKED_ONCE.values(), ids=ASKED_ONCE)
def test_connection_that_asks_no_more_is_closed(heard: Mapping[Sent, Future[bytes]], sent: Sent) -> None:
    assert heard[sent].result().count(b"HTTP/1.1 ") == 1


def test_connection_that_is_used_is_kept(server: LiveServer) -> None:
    begun = time.monotonic()
    with connect(server) as connection:
        connection.settimeout(LONG)
        while time.monotonic() - begun < 2 * BOUND:
            ask(connection, b"\r\n" + REQUEST)
            time.sleep(PAUSE)


def test_connection_goes_on_after_an_upgrade_that_is_not_heeded(server: LiveServer) -> None:
    with connect(server) as connection:
        connection.settimeout(LONG)
        for each in (UPGRADE, REQUEST, UPGRADE, REQUEST):
            ask(connection, each)
