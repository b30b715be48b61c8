"""SIGTERM while a request is being worked on: it is answered, then the process ends."""

from __future__ import annotations

import signal
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from gateway.settings import Settings
from tests.support.server import LiveServer, live_gateway

PERSON = {"email": "slow@example.com", "username": "slow-hash", "password": "correct horse"}


def test_request_in_flight_is_answered_before_the_process_ends(settings: Settings) -> None:
    # Hashing takes by far longer than the signal.
    slow = settings.model_copy(update={"PASSWORD_HASH_TIME_COST": 10, "PASSWORD_HASH_MEMORY_KIB": 65536})
    with live_gateway(slow) as server, closing(HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as connection:
        # The connection is open and known to the server before the request that counts.
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        connection.request("POST", "/api/v1/users", orjson.dumps(PERSON), {"Content-Type": "application/json"})
        await_hash(server)
        server.process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        made = orjson.loads(answer.read())
        assert (answer.status, made["username"]) == (201, PERSON["username"])
        assert server.process.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health/live")


def await_hash(server: LiveServer) -> None:
    """Until the server has read what was sent before: it answers in the order in which it is asked."""
    for _ in range(5):
        assert httpx.get(f"{server.url}/health/live").status_code == 200
