"""What is noted about the request in progress, for the access line and the answer's headers.

The object is mutable and shared on purpose: a task started while a request is served copies the context, and with it
the reference, so that what the task counts is counted for the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MAX_NOTED = 200
"""Characters of operations' names, beyond which no more are listed."""


@dataclass(slots=True)
class Observation:
    """One request (or one operation of a WebSocket): its id, what was called, by whom, with how many SQL statements."""

    request_id: str
    operation: str | None = None
    actor: str | None = None
    statements: int = 0


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def current() -> Observation | None:
    """The observation of the request in progress; None outside of one (start-up, jobs, the command line)."""
    return _current.get()


@contextmanager
def observe(request_id: str) -> Iterator[Observation]:
    """Open an observation for the block, hiding an outer one until the block ends."""
    observation = Observation(request_id)
    token = _current.set(observation)
    try:
        yield observation
    finally:
        _current.reset(token)


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
