"""The parent of the processes that serve: it starts them, replaces those that die, and stops them together.

In the place of uvicorn's, which neither tells of a death, nor pauses before it replaces what dies at once, nor lets the
processes know when it is gone, nor closes the port before all have stopped, which resets connections.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from typing import Any, Final

import structlog
import uvicorn

from gateway.serving.server import GOING, SAME_SIGNAL_SECONDS, refuse_new, work

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LONG_LIVED: Final = 60.0
"""Seconds after which the death of a process has nothing to do with its start."""
CHECK_SECONDS: Final = 1.0

log = structlog.get_logger("gateway.serving.supervisor")
spawn = multiprocessing.get_context("spawn")


@dataclass(eq=False)
class Worker:
    """A process that serves, and the line by which it shows that it lives."""

    process: SpawnProcess
    line: socket.socket
    going: bool = False
    heard: float = 0.0  # 0 until it serves
    began: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self) -> None:
        with suppress(OSError):
            said = self.line.recv(4_096)
            if said:
                self.heard = time.monotonic()
                self.going = self.going or GOING in said

    def is_hung(self, seconds: float) -> bool:
        self.hear()
        return self.heard > 0 and not self.going and time.monotonic() - self.heard > seconds


class Supervisor:
    """Keeps `config.workers` processes serving what connects to one port, until a signal comes.

    Silent ones are replaced after `config.timeout_worker_healthcheck` seconds.
    """

    def __init__(self, config: uvicorn.Config, listening: socket.socket, drain_seconds: float = 0) -> None:
        self._config, self._listening, self._drain_seconds = config, listening, drain_seconds
        self._stop, self._hasten = asyncio.Event(), asyncio.Event()
        self._workers: set[Worker] = set()
        self._has_served = self._failed = False
        self._asked_at = 0.0

    async def run(self) -> bool:
        """Serve; tell whether that ended as it was asked to. If none can start, the first that fails ends it all."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            signal.signal(number, lambda received, _: loop.call_soon_threadsafe(self._signalled, received))
        try:
            kept = [asyncio.create_task(self._keep()) for _ in range(self._config.workers)]
            await self._stop.wait()
            await self._close()
            await asyncio.gather(*kept)
        finally:
            for number in SIGNALS:  # what follows is not to be cut short
                signal.signal(number, signal.SIG_IGN)
        return not self._failed

    def _signalled(self, number: int) -> None:
        log.info("stopping", signal=signal.Signals(number).name, hastened=self._stop.is_set())
        now = time.monotonic()
        if self._stop.is_set() and now - self._asked_at > SAME_SIGNAL_SECONDS:
            self._hasten.set()
        self._asked_at = self._asked_at or now
        self._end()

    def _end(self) -> None:
        self._stop.set()
        for each in self._workers:
            each.process.terminate()

    async def _close(self) -> None:
        """Close the port when the processes do: once it is not refilled, they can empty its queue."""
        for each in self._workers:
            each.hear()  # what was said since it was last listened to
            self._has_served = self._has_served or each.heard > 0
        if self._drain_seconds and self._has_served:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hasten.wait(), self._drain_seconds)
        refuse_new(self._listening.fileno())
        self._listening.close()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            worker = self._start()
            await self._watch(worker)
            if self._stop.is_set():
                return
            status = worker.process.exitcode or 0
            # SIGKILL that nobody sent comes from Linux, when memory runs out.
            cause = {"signal": signal.Signals(-status).name} if status < 0 else {"status": status}
            ended: dict[str, Any] = {"pid": worker.process.pid, **cause}
            if not self._has_served:
                log.error("worker_cannot_start", **ended)
                self._failed = True
                self._end()
                return
            lived = time.monotonic() - worker.began
            pause = FIRST_PAUSE if lived > LONG_LIVED else min(pause * 2, LONGEST_PAUSE)
            log.error("worker_died", **ended, seconds=round(lived, 1), replaced_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)

    def _start(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = spawn.Process(target=work, args=(self._config, self._listening, theirs, self._drain_seconds))
            process.start()
        worker = Worker(process, ours)
        self._workers.add(worker)
        return worker

    async def _watch(self, worker: Worker) -> None:
        """Until the process has ended, by itself or since it says nothing any more."""
        loop, seconds = asyncio.get_running_loop(), self._config.timeout_worker_healthcheck
        loop.add_reader(worker.process.sentinel, worker.ended.set)
        try:
            while not worker.ended.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(worker.ended.wait(), CHECK_SECONDS)
                hung = worker.is_hung(seconds)
                self._has_served = self._has_served or worker.heard > 0
                if hung and not worker.ended.is_set():
                    log.error("worker_hangs", pid=worker.process.pid, silent_seconds=seconds)
                    worker.process.kill()
                    await worker.ended.wait()
        finally:
            loop.remove_reader(worker.process.sentinel)
            self._workers.discard(worker)
            worker.process.join()
            worker.line.close()
