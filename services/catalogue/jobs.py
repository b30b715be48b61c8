"""Background jobs, which any worker runs after the response, with retries.

    class Mail(InputModel):
        to: str

    @job("deliver_mail", retries=8, timeout=30)
    async def deliver_mail(work: Work, data: Mail) -> None: ...

    @job("sweep_sessions", cron="*/15 * * * *")
    async def sweep_sessions(work: Work) -> None: ...

A job runs at least once: after the crash of a worker it is run again, whatever the first attempt has done.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_type_hints
from uuid import UUID

from services.catalogue.calls import Call, HasParts
from services.catalogue.declaration import DeclarationError, Declared, Location
from services.catalogue.models import InputModel, NoInput
from services.catalogue.naming import NAME_PATTERN

Function = Callable[..., Awaitable[None]]


class PermanentError(Exception):
    """Raised by a job that would fail again in the same way: it is not retried."""


@dataclass(frozen=True, slots=True)
class Work(HasParts):
    """One attempt of a job: the job's key, the number of the attempt (from 1), the clock and the process's components.

    An attempt has no transaction of its own: it opens `unit_of_work()` for database changes, which commits on exit.
    """

    id: UUID
    attempt: int
    now: datetime
    parts: Mapping[type, Any]
    unit_of_work: Callable[[], AbstractAsyncContextManager[Call]]


@dataclass(frozen=True, eq=False)
class JobKind(Declared):
    """A kind of job: its payload model, the number of retries, and the timeout of one attempt in seconds.

    A job with a `cron` expression (five fields, UTC) has no payload and is started by the scheduler.
    """

    name: str
    function: Function
    payload: type[InputModel]
    retries: int
    timeout: float
    cron: str | None
    location: Location

    def call(self, work: Work, data: InputModel) -> Awaitable[None]:
        return self.function(work) if self.payload is NoInput else self.function(work, data)


def job(name: str, *, retries: int = 5, timeout: float = 60, cron: str | None = None) -> Callable[[Function], JobKind]:
    """Decorate `async (work[, data: an InputModel]) -> None`. Raises DeclarationError for any other form."""

    def decorate(function: Function) -> JobKind:
        location, hints = Location.of_function(function), get_type_hints(function)
        data: type[InputModel] = hints.get("data", NoInput)
        parameters = list(inspect.signature(function).parameters)
        has_form = parameters in (["work"], ["work", "data"]) and hints.get("work") is Work
        if not has_form or not inspect.iscoroutinefunction(function) or not issubclass(data, InputModel):
            raise DeclarationError(
                location,
                f"{function.__name__}: its function has not the form of a job.",
                f"Write async def {function.__name__}(work: Work, data: an InputModel) -> None, with or without data.",
            )
        kind = JobKind(name, function, data, retries, timeout, cron, location)
        if not NAME_PATTERN.fullmatch(name):
            raise kind.fault("the name is not lower-case words joined by underscores.", "Choose another name.")
        if retries < 0 or timeout <= 0:
            raise kind.fault("it could never be done.", "Give it at least 0 retries and more than 0 seconds.")
        if cron is not None and kind.payload is not NoInput:
            raise kind.fault("the clock cannot tell its data.", "Take none, or give it no cron.")
        return kind

    return decorate
