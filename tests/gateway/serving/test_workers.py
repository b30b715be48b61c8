"""Several workers serve as one: what one has ended, all refuse."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack

import httpx
import psutil
from redis import Redis

from gateway.embedded.valkey import Valkey
from gateway.settings import Settings
from tests.support.remembered import with_redis
from tests.support.server import START_SECONDS, LiveServer, live_gateway

CONNECTIONS = 24
PASSWORD = "correct horse"


def serving(server: LiveServer) -> set[int]:
    """The processes that hold a connection of ours."""
    port = httpx.URL(server.url).port
    children = psutil.Process(server.process.pid).children(recursive=True)
    return {each.pid for each in children if holds(each, port)}


def holds(process: psutil.Process, port: int | None) -> bool:
    """Whether a process, if there still is one, holds a connection of this port."""
    try:
        found = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in found)


def sign_up(client: httpx.Client, name: str) -> dict[str, str]:
    person = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    assert client.post("/api/v1/users", json=person).status_code == 201
    return sign_in(client, name)


def sign_in(client: httpx.Client, name: str) -> dict[str, str]:
    answer = client.post("/api/v1/auth/login", data={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def codes(clients: list[httpx.Client], headers: dict[str, str]) -> set[int]:
    """What they are answered, one after the other."""
    return {each.get("/api/v1/users/me", headers=headers).status_code for each in clients}


def warm(clients: list[httpx.Client], headers: dict[str, str], redis: Redis) -> None:
    """Ask until no worker asks Redis who is calling."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        before = looked_up(redis)
        assert codes(clients, headers) == {200}
        if looked_up(redis) == before:
            return
        assert time.monotonic() < deadline, "a worker does not trust its memory"


def looked_up(redis: Redis) -> int:
    """How often Redis was asked for a session's state."""
    calls: int = redis.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]
    return calls


def test_session_ended_through_one_worker_is_refused_by_all(settings: Settings, valkey: Valkey) -> None:
    own = with_redis(settings, valkey.url)
    with live_gateway(own, workers=2) as server, Redis.from_url(valkey.url) as redis, ExitStack() as stack:

        def connect() -> httpx.Client:
            return stack.enter_context(httpx.Client(base_url=server.url))

        clients = [connect() for _ in range(CONNECTIONS)]
        ada = sign_up(clients[0], f"workers-{os.getpid()}")
        other = sign_in(clients[0], f"workers-{os.getpid()}")
        assert codes(clients, ada) == {200}
        while len(serving(server)) < 2:
            clients.append(connect())
            assert clients[-1].get("/api/v1/users/me", headers=ada).status_code == 200
            assert len(clients) < 500, "one worker serves everybody"

        for each in (ada, other):
            warm(clients, each, redis)
        assert clients[0].post("/api/v1/auth/logout", headers=ada).status_code == 204
        ended = started = time.monotonic()
        while codes(clients, ada) != {401}:
            assert started - ended < 1, "honoured for longer than a second"
            started = time.monotonic()
        assert codes(clients, other) == {200}
        graphql = {each.post("/graphql", json={"query": "{ me { id } }"}, headers=ada).status_code for each in clients}
        assert graphql == {401}

        workers = serving(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert not any(psutil.pid_exists(pid) for pid in workers)
