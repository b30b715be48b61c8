"""When a request has to be done.

Past its deadline, what it waits for is cancelled, down to the statement in PostgreSQL, and the caller is told. There is
one point of no return: just before a commit the request is *held*. A commit on its way can't be called back, so that
what follows it, up to the answer, is no longer cut short; nobody is told that something failed that was done. What the
same request does next (the second field of a mutation) has what is left of its time.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from services.catalogue.problems import DEADLINE_EXCEEDED, Problem

_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class DeadlineError(Problem):
    """`deadline_exceeded`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(DEADLINE_EXCEEDED, f"This was not done within {seconds:g} seconds, and has been given up.")


class Deadline:
    """An asynchronous context that may last so long. Raises DeadlineError at its end if it did not.

    For one request, or for one operation of a connection that lives on (a WebSocket's).
    """

    __slots__ = ("_outer", "_task", "_timeout", "_token", "held", "seconds", "when")
    _timeout: asyncio.Timeout
    _task: asyncio.Task[object] | None
    _token: Token[Deadline | None]

    def __init__(self, seconds: float, *, when: float | None = None) -> None:
        self.seconds = seconds
        self.when = asyncio.get_running_loop().time() + seconds if when is None else when
        self.held = False
        """Whether time no longer matters."""

    async def __aenter__(self) -> Self:
        self._outer = _current.get()
        self._task = asyncio.current_task()
        self._timeout = asyncio.timeout_at(self.when)
        await self._timeout.__aenter__()
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise DeadlineError(self.seconds) from None

    @property
    def covers(self) -> bool:
        """Whether it is this one that cuts short what the current task does next."""
        return not self.held and self._task is asyncio.current_task()

    def hold(self) -> bool:
        """From here on time does not matter. False if it is up already, and a cancellation on its way."""
        if not self.held:
            if self._timeout.expired():
                return False
            self._timeout.reschedule(None)
            self.held = True
        return self._outer is None or self._outer.hold()


class _Remaining:
    """What `remaining` returns."""

    __slots__ = ("_deadline",)

    def __init__(self) -> None:
        self._deadline: Deadline | None = None

    async def __aenter__(self) -> None:
        outer = _current.get()
        if outer is None or outer.covers:
            return
        if outer.when <= asyncio.get_running_loop().time():
            raise DeadlineError(outer.seconds)
        self._deadline = Deadline(outer.seconds, when=outer.when)
        await self._deadline.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._deadline is not None:
            await self._deadline.__aexit__(kind, error, traceback)


def remaining() -> _Remaining:
    """An asynchronous context that may last until the deadline in force, if there is one.

    For what the deadline does not reach by itself: tasks of their own, and what follows a point of no return. Raises
    DeadlineError.
    """
    return _Remaining()


async def hold() -> None:
    """Call this just before a commit: from here on, nothing is cut short. Raises DeadlineError past its time."""
    deadline = _current.get()
    if deadline is not None and not deadline.hold():
        # The cancellation that is on its way must arrive here, and not where the commit has been sent.
        await asyncio.sleep(0)
        raise DeadlineError(deadline.seconds)
