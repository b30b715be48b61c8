"""Jobs: what is done after the answer, by whichever worker comes to it first, and again if need be.

    class Mail(InputModel):
        to: str

    @job("deliver_mail", retries=8, timeout=30)
    async def deliver_mail(work: Work, data: Mail) -> None: ...

    @job("sweep_sessions", cron="*/15 * * * *")
    async def sweep_sessions(work: Work) -> None: ...

A job runs at least once: after a worker has died it is run again, whatever the first try had done by then.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, get_type_hints
from uuid import UUID

from services.catalogue.calls import Call
from services.catalogue.declaration import DeclarationError, Location
from services.catalogue.models import InputModel, NoInput

Part = TypeVar("Part")
Function = Callable[..., Awaitable[None]]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class HopelessError(Exception):
    """What went wrong will go wrong again: the job is not tried any more."""


@dataclass(frozen=True, slots=True)
class Work:
    """One try of a job: its key, which try it is (from 1), the clock, and what it may use.

    There is no transaction around it: it opens `unit_of_work()` for what it does in PostgreSQL, and commits by leaving.
    """

    id: UUID
    attempt: int
    now: datetime
    parts: Mapping[type, Any]
    unit_of_work: Callable[[], AbstractAsyncContextManager[Call]]

    def part(self, kind: type[Part]) -> Part:
        """A long-lived part of the process by its type."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found


@dataclass(frozen=True, eq=False)
class JobKind:
    """A kind of job: what it takes, how often it is tried again, and how many seconds one try may take.

    One that has a `cron` (five fields, UTC) takes nothing, and is begun by the clock.
    """

    name: str
    function: Function
    payload: type[InputModel]
    retries: int
    timeout: float
    cron: str | None
    location: Location

    def call(self, work: Work, data: InputModel) -> Awaitable[None]:
        """Begin a try."""
        return self.function(work) if self.payload is NoInput else self.function(work, data)

    def fault(self, fault: str, mend: str) -> DeclarationError:
        """A DeclarationError at the place of this declaration."""
        return DeclarationError(self.location, f"{self.name}: {fault}", mend)


def job(
    name: str, *, retries: int = 5, timeout: float = 60, cron: str | None = None
) -> Callable[[Function], JobKind]:  # fmt: skip
    """A decorator that makes a kind of job of `async (work[, data: an InputModel]) -> None`.

    `timeout` is in seconds. Raises DeclarationError when the function does not have this form.
    """

    def decorate(function: Function) -> JobKind:
        location = Location(function.__code__.co_filename, function.__code__.co_firstlineno)
        kind = JobKind(name, function, _payload(function, location), retries, timeout, cron, location)
        if not _NAME.fullmatch(name):
            raise kind.fault("the name is not lower-case words joined by underscores.", "Choose another name.")
        if retries < 0 or timeout <= 0:
            raise kind.fault("it could never be done.", "Give it at least 0 retries and more than 0 seconds.")
        if cron is not None and kind.payload is not NoInput:
            raise kind.fault("the clock cannot tell its data.", "Take none, or give it no cron.")
        return kind

    return decorate


def _payload(function: Function, location: Location) -> type[InputModel]:
    name = getattr(function, "__name__", "job")
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters)
    data = hints.get("data", NoInput)
    form = parameters in (["work"], ["work", "data"]) and hints.get("work") is Work
    if not form or not inspect.iscoroutinefunction(function) or not issubclass(data, InputModel):
        raise DeclarationError(
            location,
            f"{name}: its function has not the form of a job.",
            f"Write async def {name}(work: Work, data: an InputModel) -> None, with or without data.",
        )
    found: type[InputModel] = data
    return found
