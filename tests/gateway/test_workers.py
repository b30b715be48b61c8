"""Several workers serve as one: what one has ended, all refuse."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import httpx
import psutil

from gateway.settings import Settings
from tests.support.server import LiveServer, live_gateway

CONNECTIONS = 24
PASSWORD = "correct horse"


def serving(server: LiveServer) -> set[int]:
    """The processes that hold a connection of ours."""
    port = httpx.URL(server.url).port
    children = psutil.Process(server.process.pid).children(recursive=True)
    return {
        each.pid
        for each in children
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
    }


def sign_up(client: httpx.Client, name: str) -> dict[str, str]:
    person = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    assert client.post("/api/v1/users", json=person).status_code == 201
    return sign_in(client, name)


def sign_in(client: httpx.Client, name: str) -> dict[str, str]:
    answer = client.post("/api/v1/auth/login", data={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_session_ended_through_one_worker_is_refused_by_all(settings: Settings) -> None:
    with live_gateway(settings, workers=2) as server, ExitStack() as stack:

        def connect() -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=server.url))

        clients = [connect() for _ in range(CONNECTIONS)]
        ada = sign_up(clients[0], f"workers-{os.getpid()}")
        other = sign_in(clients[0], f"workers-{os.getpid()}")
        assert {each.get("/api/v1/users/me", headers=ada).status_code for each in clients} == {200}
        while len(serving(server)) < 2:
            clients.append(connect())
            assert clients[-1].get("/api/v1/users/me", headers=ada).status_code == 200
            assert len(clients) < 500, "one worker serves everybody"

        assert clients[0].post("/api/v1/auth/logout", headers=ada).status_code == 204
        assert {each.get("/api/v1/users/me", headers=ada).status_code for each in clients} == {401}
        assert {each.get("/api/v1/users/me", headers=other).status_code for each in clients} == {200}
        graphql = {each.post("/graphql", json={"query": "{ me { id } }"}, headers=ada).status_code for each in clients}
        assert graphql == {401}

        workers = serving(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert not any(psutil.pid_exists(pid) for pid in workers)
