"""Several processes serve one port: they are replaced when they die, and do not outlive the one that started them."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import orjson
import psutil
import pytest
import uvicorn

from gateway.serving.supervisor import SIGNALS, Supervisor
from gateway.settings import Settings
from tests.support.server import START_SECONDS, LiveServer, live_gateway

pytestmark = pytest.mark.proof


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    with live_gateway(settings, workers=2) as found:
        eventually(lambda: found.log.read_text().count("Application startup complete") == 2)
        yield found


def workers_of(server: LiveServer) -> list[psutil.Process]:
    """The processes that serve."""
    children = psutil.Process(server.process.pid).children()
    return [each for each in children if any("spawn_main" in word for word in each.cmdline())]


def told(server: LiveServer, event: str) -> list[dict[str, object]]:
    """The lines of the log with an event."""
    lines = [orjson.loads(each) for each in server.log.read_text().splitlines() if each.startswith("{")]
    return [each for each in lines if each["event"] == event]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.05)


def is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_death_of_a_worker_is_told_and_it_is_replaced(server: LiveServer, number: signal.Signals) -> None:
    first, second = workers_of(server)
    first.send_signal(number)
    eventually(lambda: bool(told(server, "worker_died")))
    (line,) = told(server, "worker_died")
    assert (line["pid"], line["signal"], line["level"]) == (first.pid, number.name, "error")
    assert httpx.get(f"{server.url}/health/live").status_code == 200
    eventually(lambda: len(workers_of(server)) == 2)
    assert second in workers_of(server)


def test_workers_end_when_the_one_that_started_them_is_killed(server: LiveServer) -> None:
    workers = workers_of(server)
    server.process.kill()
    eventually(lambda: all(is_over(each) for each in workers))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health/live")
    assert len(told(server, "supervisor_died")) == 2


def test_closed_terminal_stops_all_in_order(server: LiveServer) -> None:
    workers = workers_of(server)
    for each in workers:
        each.send_signal(signal.SIGHUP)
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(60) == 0
    assert all(is_over(each) for each in workers)
    assert told(server, "worker_died") == []
    assert server.log.read_text().count("Finished server process") == 2


def test_processes_that_cannot_start_are_not_tried_for_ever() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    config = uvicorn.Config("tests.support.nowhere:app", port=0, workers=2, log_config=None)
    try:
        assert asyncio.run(supervised(config)) is False
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def supervised(config: uvicorn.Config) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return await Supervisor(config, listening).run()
