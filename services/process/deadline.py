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


class Timers:
    """The timers of deadlines that are all of one length, so that those entered first are up first.

    One timer of the loop for all is cheaper than one for each.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, deadline: Deadline) -> None:
        """A deadline begins to run."""
        self._running[deadline] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(deadline.when, self._strike)

    def remove(self, deadline: Deadline) -> None:
        """It runs no longer."""
        self._running.pop(deadline, None)

    def _strike(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        while self._running:
            first = next(iter(self._running))
            if first.when > now:
                self._timer = loop.call_at(first.when, self._strike)
                return
            del self._running[first]
            first.expire()


class Deadline:
    """A context that may last so long. Raises DeadlineError at its end if it did not.

    For one request, or for one operation of a connection that lives on (a WebSocket's). It is asyncio.timeout but for
    `hold` and the shared `timers`, which must be of the same length.
    """

    __slots__ = ("_before", "_outer", "_task", "_timer", "_timers", "_token", "expired", "held", "seconds", "when")
    _task: asyncio.Task[object]
    _token: Token[Deadline | None]

    def __init__(self, seconds: float, *, timers: Timers | None = None, when: float | None = None) -> None:
        self.seconds = seconds
        self.when = asyncio.get_running_loop().time() + seconds if when is None else when
        self.expired = False
        """Whether time is up, and the task has been cancelled."""
        self.held = False
        """Whether time no longer matters."""
        self._timers = timers
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._outer, self._task, self._before = _current.get(), task, task.cancelling()
        if self._timers is not None:
            self._timers.add(self)
        else:
            self._timer = asyncio.get_running_loop().call_at(self.when, self.expire)
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self._stop()
        # As asyncio.timeout: a cancellation that came from elsewhere as well is not ours to swallow.
        if self.expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise DeadlineError(self.seconds) from None

    @property
    def covers(self) -> bool:
        """Whether it is this one that cuts short what the current task does next."""
        return not self.held and self._task is asyncio.current_task()

    def expire(self) -> None:
        """Time is up."""
        self.expired = True
        self._task.cancel()

    def hold(self) -> bool:
        """From here on time does not matter. False if it is up already, and a cancellation on its way."""
        if not self.held:
            if self.expired:
                return False
            self._stop()
            self.held = True
        return self._outer is None or self._outer.hold()

    def _stop(self) -> None:
        if self._timers is not None:
            self._timers.remove(self)
        elif self._timer is not None:
            self._timer.cancel()


class _Remaining:
    """What `remaining` returns."""

    __slots__ = ("_deadline",)

    def __init__(self) -> None:
        self._deadline: Deadline | None = None

    def __enter__(self) -> None:
        outer = _current.get()
        if outer is None or outer.covers:
            return
        if outer.when <= asyncio.get_running_loop().time():
            raise DeadlineError(outer.seconds)
        self._deadline = Deadline(outer.seconds, when=outer.when)
        self._deadline.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._deadline is not None:
            self._deadline.__exit__(kind, error, traceback)


def remaining() -> _Remaining:
    """A context that may last until the deadline in force, if there is one.

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
