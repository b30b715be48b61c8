"""The settings of the transports that the endpoint serves beside plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import Scope

from graphql_schema.transport.origins import Origins


class Line(Protocol):
    """The line of the access log about an operation of a WebSocket: the equivalent HTTP status, and the bytes sent."""

    status: int | None
    sent: int


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The limits of one WebSocket."""

    init_seconds: float = 3
    """The time until `connection_init`."""
    operations: int = 20
    """The most operations at once."""
    message_bytes: int = 1_048_576
    operation_seconds: float = 25
    """The time that an operation may take."""


@dataclass(frozen=True, slots=True)
class Transports:
    """The settings of the endpoint's transports.

    `batch` is the most requests of one body; 0 refuses batches. `uploads` says whether forms with a file are accepted.
    `framed` surrounds an operation of a WebSocket as the gateway's middleware does a request, with an observation and a
    line in the log.
    """

    framed: Callable[[Scope], AbstractContextManager[Line]]
    origins: Origins = field(default_factory=Origins)
    batch: int = 0
    uploads: bool = False
    socket: SocketLimits = field(default_factory=SocketLimits)
