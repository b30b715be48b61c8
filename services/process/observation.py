"""Facts about the request in progress, for the access log and the response headers.

The object is mutable and shared on purpose: a task started while a request is served copies the context, and with it
the reference, so that what the task counts is counted for the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, Self, TypeAlias

ReadPath: TypeAlias = Literal["compiled", "general"]
"""How a read is executed: by a compiled plan, or by the resolvers."""

MAX_NOTED: Final = 200
"""Length of the list of operations' names in characters, beyond which no more are added."""


class ReportedCharge(Protocol):
    """The charge of a request, and the `earlier` ones of the same batch (services/process/budget/accounts.py)."""

    earlier: Any

    def fields(self) -> list[tuple[bytes, bytes]]: ...


@dataclass(slots=True)
class Observation:
    """One request, or one operation of a WebSocket: a context manager, which replaces an outer one during its block.

    `statements` counts its SQL statements; `path` is None until it reads.
    """

    request_id: str
    operation: str | None = None
    actor: str | None = None
    statements: int = 0
    path: ReadPath | None = None
    deprecated: tuple[tuple[str, str], ...] = ()
    """Deprecated members that were used, each once: the face and the member."""
    charged: ReportedCharge | None = None
    _token: Token[Observation | None] = field(init=False, repr=False)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def current() -> Observation | None:
    """Return the observation of the request in progress; None outside a request (start-up, jobs, the command line)."""
    return _current.get()


def statements() -> int:
    """Return how many SQL statements the request in progress has sent; 0 outside a request."""
    observation = current()
    return 0 if observation is None else observation.statements


def note(operation: str, actor: str) -> None:
    """Note an operation that is called, and by whom. Several operations of one request are listed, each once."""
    observation = current()
    if observation is None:
        return
    observation.actor = actor
    if observation.operation is None:
        observation.operation = operation
    elif len(observation.operation) < MAX_NOTED and operation not in observation.operation.split(","):
        observation.operation += f",{operation}"


def note_path(path: ReadPath) -> None:
    """Note how a read is executed. If the reads of a request differ, `general` is kept."""
    observation = current()
    if observation is not None and observation.path != "general":
        observation.path = path


def note_deprecated(face: str, members: Iterable[str]) -> None:
    observation = current()
    if observation is not None:
        used = (*observation.deprecated, *((face, member) for member in members))
        observation.deprecated = tuple(dict.fromkeys(used))


def note_charge(charged: ReportedCharge) -> None:
    """Note a charge of the request, paid or refused, in addition to earlier ones."""
    observation = current()
    if observation is not None:
        if observation.charged is not None:
            charged.earlier = observation.charged
        observation.charged = charged
