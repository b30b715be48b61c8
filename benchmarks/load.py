"""Asks a server as fast as it answers: a fixed number of connections, each with one request under way.

Requests are bytes made beforehand, and of the answers only the head is read, so that the asking costs little.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final, cast

import uvloop

CONNECTIONS: Final = 16
_SAMPLE: Final = 20
_LENGTH: Final = b"content-length:"
_END: Final = b"\r\n\r\n"
_PATIENCE: Final = 30
"""Seconds to wait for a connection, and for the last answers."""

Spent = dict[str, float]
"""Seconds of CPU time, per part of the whole: the server, PostgreSQL, Valkey."""

EVERYTHING: Final = "everything"
"""The part that is everybody's on the machine, whether or not they have to do with this."""


class WrongAnswerError(Exception):
    """A server answered with an error, or not at all."""


@dataclass
class Tally:
    """What one stretch of asking gave."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """In seconds, of each answer."""
    spent: Spent = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that this share of the answers kept."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1_000


class _Connection(asyncio.Protocol):
    """One keep-alive connection (RFC 9112)."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.buffer = b""
        self.asked_at = 0.0
        self.count = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def ask(self) -> None:
        """Send the next request."""
        self.asked_at = time.perf_counter()
        self.transport.write(next(self.client.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if not _is_whole(self.buffer):
            return
        answer, self.buffer = self.buffer, b""
        self.client.tally.latencies.append(time.perf_counter() - self.asked_at)
        self.count += 1
        fault = _fault(answer, thorough=self.count % _SAMPLE == 1)
        if fault:
            self.client.fail(fault)
        elif self.client.going_on():
            self.ask()
        else:
            self.client.rest()

    def connection_lost(self, error: Exception | None) -> None:
        self.client.fail(f"The connection was closed: {error}")


def _is_whole(answer: bytes) -> bool:
    head = answer.find(_END)
    if head < 0:
        return False
    lowered = answer[:head].lower()
    at = lowered.find(_LENGTH)
    if at < 0:
        return answer.endswith(b"0\r\n\r\n")  # chunked
    end = lowered.find(b"\r\n", at)
    length = int(lowered[at + len(_LENGTH) : end if end > 0 else None])
    return len(answer) >= head + len(_END) + length


def _fault(answer: bytes, *, thorough: bool) -> str | None:
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")) or (thorough and b'"errors"' in answer):
        return answer[:2_000].decode(errors="replace")
    return None


class Client:
    """All connections to one server."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self.port = port
        self.requests = cycle(requests)
        self.tally = Tally()
        self._until, self._remaining, self._resting = 0.0, 0, 0
        self._connections: list[_Connection] = []
        self._done: asyncio.Future[None]

    async def open(self, connections: int) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        for _ in range(connections):
            _, connection = await asyncio.wait_for(
                loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port), _PATIENCE
            )
            self._connections.append(connection)

    async def ask_for(self, seconds: float) -> Tally:
        """Keep every connection busy for so long; the last answers are waited for."""
        return await self._ask(until=time.perf_counter() + seconds, most=1 << 60)

    async def ask_times(self, count: int) -> Tally:
        """Keep every connection busy until so many requests were sent."""
        return await self._ask(until=float("inf"), most=count)

    async def _ask(self, until: float, most: int) -> Tally:
        self._done = asyncio.get_running_loop().create_future()
        self._until, self._remaining, self._resting = until, most - len(self._connections), 0
        self.tally = Tally()
        start = time.perf_counter()
        for connection in self._connections:
            connection.ask()
        await asyncio.wait_for(self._done, None if until == float("inf") else until - start + _PATIENCE)
        self.tally.seconds = time.perf_counter() - start
        return self.tally

    def going_on(self) -> bool:
        """Whether another request is to be sent."""
        self._remaining -= 1
        return self._remaining >= 0 and time.perf_counter() < self._until

    def rest(self) -> None:
        """A connection has its last answer."""
        self._resting += 1
        if self._resting == len(self._connections) and not self._done.done():
            self._done.set_result(None)

    def fail(self, reason: str) -> None:
        """Stop asking. `_ask` raises."""
        if not self._done.done():
            self._done.set_exception(WrongAnswerError(reason))

    def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            connection.transport.abort()


def run(
    port: int, requests: Sequence[bytes], meter: Callable[[], Spent], *, seconds: float, warm_up: float, offset: int = 0
) -> Tally:
    """Ask for so many seconds after a warm-up that does not count, beginning with the request at `offset`."""
    start = offset % len(requests)

    async def request_context() -> Tally:
        client = Client(port, [*requests[start:], *requests[:start]])
        await client.open(CONNECTIONS)
        try:
            await client.ask_for(warm_up)
            before = meter()
            tally = await client.ask_for(seconds)
            after = meter()
        finally:
            client.close()
        tally.spent = {part: after[part] - before[part] for part in after}
        return tally

    gc.disable()
    try:
        return uvloop.run(request_context())
    finally:
        gc.enable()
