"""What the endpoint allows beside a request and its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from starlette.types import Scope

from graphql_schema.transport.origins import Origins
from services.process.deadline import Deadline

T = TypeVar("T")


class Line(Protocol):
    """What is told about an operation of a WebSocket once it is over: an HTTP status that fits, and bytes sent."""

    status: int | None
    sent: int


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one WebSocket may do: be silent at first, have operations at once, send messages of a size, and for how long
    each operation may think about its next result."""

    init_seconds: float = 3
    operations: int = 20
    message_bytes: int = 1_048_576
    operation_seconds: float = 25


@dataclass(frozen=True, slots=True)
class Transports:
    """How the endpoint may be used.

    `batch` is how many requests one body may hold, 0 for none. `uploads`: forms with a file are taken. `framed` makes
    what surrounds an operation of a WebSocket as the gateway's middleware surrounds a request: an observation of its
    own, and a line in the log.
    """

    framed: Callable[[Scope], AbstractContextManager[Line]]
    origins: Origins = field(default_factory=Origins)
    batch: int = 0
    uploads: bool = False
    socket: SocketLimits = field(default_factory=SocketLimits)


async def in_time(results: AsyncGenerator[T], seconds: float) -> AsyncGenerator[T]:
    """The same results, each of which may take so long. Raises DeadlineError for one that takes longer."""
    while True:
        with Deadline(seconds):
            result = await anext(results, None)
        if result is None:
            return
        yield result
