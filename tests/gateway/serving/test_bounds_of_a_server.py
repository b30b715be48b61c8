"""Bounds as `gateway serve` keeps them: one budget for several workers, and heads that are too long."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psutil
import pytest

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from tests.support.remembered import with_redis
from tests.support.server import LiveServer, live_gateway

pytestmark = pytest.mark.proof

PER_MINUTE = 600
PASSWORD = "correct horse"


@pytest.fixture
def server(settings: Settings, valkey: Valkey) -> Iterator[LiveServer]:
    """Two workers with small bounds."""
    own = with_redis(settings, valkey.url, BUDGET_PER_MINUTE=PER_MINUTE, MAX_HEADER_BYTES=2_000)
    with live_gateway(own, workers=2) as found:
        yield found


def workers_of(server: LiveServer) -> set[int]:
    """The processes that hold a connection of ours."""
    port, found = httpx.URL(server.url).port, set()
    for each in psutil.Process(server.process.pid).children(recursive=True):
        connections = each.net_connections("tcp")
        if any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in connections):
            found.add(each.pid)
    return found


def test_workers_of_one_server_share_a_budget_and_refuse_long_heads(server: LiveServer) -> None:
    with ExitStack() as stack:

        def connect() -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=server.url))

        clients, name = [connect()], f"bounds-{os.getpid()}"
        person = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
        assert clients[0].post("/api/v1/users", json=person).status_code == 201
        token = clients[0].post("/api/v1/auth/login", data={"username": name, "password": PASSWORD}).json()
        ada = {"Authorization": f"Bearer {token['access_token']}"}
        while len(workers_of(server)) < 2:
            clients.append(connect())
            assert clients[-1].get("/health/live").status_code == 200
            assert len(clients) < 500, "one worker serves everybody"
        clients += [connect() for _ in range(10)]

        spent, statuses, started = 0, set(), time.monotonic()
        for _ in range(4):
            for each in clients:
                answers = [
                    each.get("/api/v1/items", params={"limit": 19}, headers=ada),
                    each.post("/graphql", json={"query": "{ items(first: 19) { nodes { id } } }"}, headers=ada),
                ]
                spent += sum(int(one.headers["x-request-cost"]) for one in answers)
                statuses |= {one.status_code for one in answers}
        seconds = time.monotonic() - started
        assert statuses == {200, 429}
        # A second worker may keep a lease of 30 to itself; what comes in the meantime is ten a second.
        assert PER_MINUTE - 30 - 20 < spent <= PER_MINUTE + 10 * seconds + 1
    _refuses_long_heads(server)


def _refuses_long_heads(server: LiveServer) -> None:
    for path in ("/api/v1/items", "/graphql", "/graphql?query=" + "x" * 1_900):
        with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=10) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode())
            answer = b""
            try:
                for _ in range(2_000):  # more than can be read at once
                    connection.sendall(b"X: " + b"y" * 995 + b"\r\n")
            except OSError:
                pass  # it has hung up
            try:
                while piece := connection.recv(65_536):
                    answer += piece
            except ConnectionResetError:
                pass  # with some of what was sent unread
        assert not answer or answer.startswith(b"HTTP/1.1 431 "), answer[:200]
    short = httpx.get(f"{server.url}/health/live", headers={"X": "y" * 500})
    assert short.status_code == 200
