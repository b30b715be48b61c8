"""How `gateway serve` stops: nobody is reset who was let in, and a balancer hears of it before the port is closed."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.serving.server import SAME_SIGNAL_SECONDS
from gateway.settings import Settings
from tests.support.server import START_SECONDS, LiveServer, live_gateway

pytestmark = pytest.mark.proof

CLIENTS = 8
ENOUGH = 300
"""Answers after which the gateway is stopped."""
PATH = "/problems/not_found"


class Crowd:
    """Clients that ask without a pause, by new connections or kept ones, until they are refused."""

    def __init__(self, server: LiveServer, *, keep: bool) -> None:
        self._address, self._keep = urlsplit(server.url).netloc, keep
        self.seen: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def wait_for(self, answers: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.seen["200"] < answers:
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.01)

    def join(self) -> None:
        for each in self._threads:
            each.join(60)
            assert not each.is_alive()

    def _ask(self) -> None:
        while self._connect():
            pass

    def _connect(self) -> bool:
        """Ask on one connection as long as it is kept; tell whether there was one."""
        with closing(HTTPConnection(self._address, timeout=30)) as connection:
            try:
                connection.connect()
            except ConnectionRefusedError:
                self.seen["refused"] += 1
                return False
            try:
                while self._answered(connection):
                    pass
            except (OSError, HTTPException) as error:
                self.seen[f"{type(error).__name__}: {error}"] += 1
            return True

    def _answered(self, connection: HTTPConnection) -> bool:
        connection.request("GET", PATH, headers={} if self._keep else {"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        self.seen[str(answer.status)] += 1
        return answer.getheader("connection") != "close"


@pytest.mark.parametrize("keep", [False, True], ids=["new connections", "kept connections"])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_sent_on_a_connection_is_answered(settings: Settings, workers: int, keep: bool) -> None:
    with live_gateway(settings, workers=workers) as server:
        crowd = Crowd(server, keep=keep)
        crowd.start()
        crowd.wait_for(ENOUGH)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        crowd.join()
    assert set(crowd.seen) == {"200", "refused"}
    assert crowd.seen["refused"] == CLIENTS


@pytest.mark.parametrize("workers", [1, 2])
def test_balancer_hears_of_the_end_while_all_is_answered(settings: Settings, workers: int) -> None:
    slow = settings.model_copy(update={"SHUTDOWN_DRAIN_SECONDS": 600})
    with live_gateway(slow, workers=workers) as server, httpx.Client(base_url=server.url) as client:
        assert "connection" not in client.get(PATH).headers
        server.process.send_signal(signal.SIGTERM)
        wait_for_status(client, 503)
        # A terminal, or systemd, tells all processes of a group, and that is no second time.
        for _ in range(5):
            ready, live, page = (client.get(each) for each in ("/health/ready", "/health/live", PATH))
            assert (ready.status_code, ready.json()) == (503, {"status": "stopping"})
            assert (live.status_code, page.status_code, page.headers["connection"]) == (200, 200, "close")
            posted = client.post("/graphql", json={"query": "{ __typename }"})
            assert posted.json() == {"data": {"__typename": "Query"}}
        assert server.process.poll() is None
        time.sleep(SAME_SIGNAL_SECONDS)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            client.get("/health/live")


def test_draining_ends_by_itself(settings: Settings) -> None:
    short = settings.model_copy(update={"SHUTDOWN_DRAIN_SECONDS": 1})
    with live_gateway(short, workers=2) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        assert '"event":"draining"' in server.log.read_text()


def wait_for_status(client: httpx.Client, status: int) -> None:
    """Until readiness says so, on every worker."""
    deadline = time.monotonic() + START_SECONDS
    in_a_row = 0
    while in_a_row < 20:
        assert time.monotonic() < deadline, "readiness has not changed"
        in_a_row = in_a_row + 1 if client.get("/health/ready").status_code == status else 0
