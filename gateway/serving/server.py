"""uvicorn's server, and how it stops.

A signal makes readiness answer 503, and every answer close its connection, for SHUTDOWN_DRAIN_SECONDS; then no more
connections are let in, what was asked for is answered, and the process ends. A worker of a supervisor also stops when
that is gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Final

import structlog
import uvicorn

from services.process.shutdown import STOPPING

SAME_SIGNAL_SECONDS: Final = 1.0
"""Signals that are no further apart are one: a terminal, or systemd, sends it to all processes, and the supervisor
passes it on."""
TICKS: Final = 10
"""Of uvicorn's main loop between two signs of life."""
ALIVE: Final = b"."
GOING: Final = b"-"
"""What a worker says to its supervisor: that it serves, that it has begun to stop."""

LINGER_SECONDS: Final = 0.5
"""How long, after no more connections are let in, those that were are still served as before. What a client has sent by
then on a connection that seemed idle is in reach, and is answered instead of reset."""

_SO_ATTACH_FILTER: Final = 26  # Python's socket module has no name for it
_PROGRAM: Final = (
    (0x30, 0, 0, 13),  # load the byte of TCP's header that has the flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it through
)
"""Classic BPF: operation, where to go on if true and if false, operand (linux/filter.h)."""

log = structlog.get_logger("gateway.serving.server")


class GatewayServer(uvicorn.Server):
    """A server that is drained for so many seconds before it stops; `supervisor` is a worker's line to its own."""

    def __init__(
        self, config: uvicorn.Config, drain_seconds: float = 0, supervisor: socket.socket | None = None
    ) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._supervisor = supervisor
        self._owns_the_port = supervisor is None
        self._asked_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop: the first one drains, the next one ends that, and SIGINT after that is uvicorn's."""
        now = time.monotonic()
        if self.should_exit or not self.started or not self._drain_seconds:
            super().handle_exit(sig, frame)
        elif self._asked_at is None:
            self._captured_signals.append(sig)
            self._asked_at = now
            self.lifespan.state[STOPPING] = True
            log.info("draining", seconds=self._drain_seconds)
        elif now - self._asked_at > SAME_SIGNAL_SECONDS:
            self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._supervisor is not None:
            self._supervisor.setblocking(False)
            asyncio.get_running_loop().add_reader(self._supervisor.fileno(), self._hear)
        if self.started:
            self._say(ALIVE)  # before the first request: who has served drains, however soon it is told to stop

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop."""
        if counter % TICKS == 0:
            self._say(ALIVE)
        if self._asked_at is not None and time.monotonic() >= self._asked_at + self._drain_seconds:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: connections that are there are served for a moment more, so that none is reset with a request on it."""
        self._say(GOING)
        self.lifespan.state[STOPPING] = True
        if self._owns_the_port:
            for each in (each for server in self.servers for each in server.sockets):
                refuse_new(each.fileno())
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)

    def _say(self, what: bytes) -> None:
        if self._supervisor is not None:
            with suppress(OSError):  # it has gone, or listens no more: neither is waited for
                self._supervisor.send(what)

    def _hear(self) -> None:
        """The supervisor never says anything: it is gone."""
        assert self._supervisor is not None
        asyncio.get_running_loop().remove_reader(self._supervisor.fileno())
        log.warning("supervisor_died")
        # Whoever starts it anew needs the port: no draining.
        self._owns_the_port = self.should_exit = True


def refuse_new(listening: int) -> None:
    """Let no more connections into the queue of the listening socket of a descriptor, for all processes that share it.

    Closing the socket resets whatever is in its queue: connections that clients take for accepted. Where the queue
    grows no more, those who serve can empty it before. Clients that connect meanwhile get no answer; they try again
    after a second, and are refused, or served by whoever listens then. On other systems than Linux nothing happens.
    """
    if sys.platform != "linux":
        return
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _PROGRAM))
    program = struct.pack("HP", len(_PROGRAM), ctypes.addressof(instructions))
    # Sandboxes may lack filters: then it is as on other systems.
    with suppress(OSError), socket.socket(fileno=os.dup(listening)) as same:
        same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def work(config: uvicorn.Config, listening: socket.socket, supervisor: socket.socket, drain_seconds: float) -> None:
    """Serve as one of several processes; what a supervisor starts."""
    # A terminal that closes tells all; the supervisor passes on what it means.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with suppress(KeyboardInterrupt):
        GatewayServer(config, drain_seconds, supervisor).run([listening])
