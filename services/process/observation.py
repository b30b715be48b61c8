"""What is noted about the request in progress, for the access line and the answer's headers.

The object is mutable and shared on purpose: a task started while a request is served copies the context, and with it
the reference, so that what the task counts is counted for the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

ReadPath: TypeAlias = Literal["compiled", "general"]
"""The two ways of a read: a compiled plan, or the resolvers."""

MAX_NOTED: Final = 200
"""Characters of operations' names, beyond which no more are listed."""


class Charged(Protocol):
    """What a request was charged (services/process/budget/budget.py)."""

    earlier: Any
    """What it was charged before, as the entries of a batch are one by one: told of together."""

    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields that tell of it, names in lower case."""
        ...


@dataclass(slots=True)
class Observation:
    """One request (or one operation of a WebSocket): its id, what was called, by whom, with how many SQL statements.

    `path` is None as long as no read engine was asked.
    """

    request_id: str
    operation: str | None = None
    actor: str | None = None
    statements: int = 0
    path: ReadPath | None = None
    deprecated: tuple[tuple[str, str], ...] = ()
    """What was used though it is deprecated: the face and the member, each once."""
    charged: Charged | None = None


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


class _Observing:
    """What `observe` returns: a class, since `contextlib.contextmanager` costs a request a microsecond more."""

    __slots__ = ("_observation", "_token")
    _token: Token[Observation | None]

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def __enter__(self) -> Observation:
        self._token = _current.set(self._observation)
        return self._observation

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def current() -> Observation | None:
    """The observation of the request in progress; None outside of one (start-up, jobs, the command line)."""
    return _current.get()


def observe(request_id: str) -> AbstractContextManager[Observation]:
    """Open an observation for the block, hiding an outer one until the block ends."""
    return _Observing(Observation(request_id))


def statements() -> int:
    """How many SQL statements the request in progress has sent; outside of one, none is counted."""
    observation = current()
    return 0 if observation is None else observation.statements


def note_actor(actor: str) -> None:
    """Say who the caller has turned out to be."""
    observation = current()
    if observation is not None:
        observation.actor = actor


def note(operation: str, actor: str) -> None:
    """Say what is being called, and by whom. Several operations of one request are listed, each once."""
    observation = current()
    if observation is None:
        return
    observation.actor = actor
    if observation.operation is None:
        observation.operation = operation
    elif len(observation.operation) < MAX_NOTED and operation not in observation.operation.split(","):
        observation.operation += f",{operation}"


def note_path(path: ReadPath) -> None:
    """Say which way a read goes. Of a request with several, `general` is what is worth knowing: it stays."""
    observation = current()
    if observation is not None and observation.path != "general":
        observation.path = path


def note_deprecated(face: str, members: Iterable[str]) -> None:
    """Say which deprecated members the request uses, and through which face."""
    observation = current()
    if observation is not None:
        used = (*observation.deprecated, *((face, each) for each in members))
        observation.deprecated = tuple(dict.fromkeys(used))


def note_charge(charged: Charged) -> None:
    """Say what the request was charged, or refused for, besides what it was charged before."""
    observation = current()
    if observation is not None:
        if observation.charged is not None:
            charged.earlier = observation.charged
        observation.charged = charged
