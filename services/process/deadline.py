"""Deadlines of requests.

When a deadline expires, the request's task is cancelled, including the statement that runs in PostgreSQL, and the
caller receives `deadline_exceeded`. There is one point of no return: just before a commit the deadline is *held*. A
commit that has been sent can't be withdrawn, so what follows it, up to the response, is not cancelled, and no caller
is told that a completed write has failed. What the same request does next (the second field of a mutation) has the
remaining time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Self

from services.catalogue.problems import DEADLINE_EXCEEDED, Problem

_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class DeadlineError(Problem):
    def __init__(self, seconds: float) -> None:
        super().__init__(DEADLINE_EXCEEDED, f"This was not done within {seconds:g} seconds, and has been given up.")


class Deadline:
    """A context manager that cancels its block after `seconds`, or at `when`, and then raises DeadlineError.

    Use one for each request, or for each operation of a WebSocket. It differs from asyncio.timeout by `hold`.
    """

    __slots__ = ("_before", "_outer", "_task", "_timer", "_token", "expired", "held", "seconds", "when")
    _task: asyncio.Task[object]
    _timer: asyncio.TimerHandle
    _token: Token[Deadline | None]

    def __init__(self, seconds: float, *, when: float | None = None) -> None:
        self.seconds = seconds
        self.when = asyncio.get_running_loop().time() + seconds if when is None else when
        self.expired = False
        """Whether the time has run out and the task has been cancelled."""
        self.held = False
        """Whether the deadline no longer applies."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._outer, self._task, self._before = _current.get(), task, task.cancelling()
        self._timer = asyncio.get_running_loop().call_at(self.when, self.expire)
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        self._timer.cancel()
        # As in asyncio.timeout: a cancellation from elsewhere is not swallowed.
        if self.expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise DeadlineError(self.seconds) from None

    @property
    def covers(self) -> bool:
        """Whether the current task is cancelled when this deadline expires."""
        return not self.held and self._task is asyncio.current_task()

    def expire(self) -> None:
        self.expired = True
        self._task.cancel()

    def hold(self) -> bool:
        """Suspend this deadline and the outer ones. Return False if one has expired and its cancellation is pending."""
        if not self.held:
            if self.expired:
                return False
            self._timer.cancel()
            self.held = True
        return self._outer is None or self._outer.hold()


@contextmanager
def remaining() -> Iterator[None]:
    """Apply the current deadline, if any, to the block. Raise DeadlineError when it expires.

    For what the deadline does not cancel by itself: other tasks, and what follows a point of no return.
    """
    outer = _current.get()
    if outer is None or outer.covers:
        yield
        return
    if outer.when <= asyncio.get_running_loop().time():
        raise DeadlineError(outer.seconds)
    with Deadline(outer.seconds, when=outer.when):
        yield


async def hold() -> None:
    """Hold the current deadline; call this just before a commit. Raise DeadlineError if it has expired."""
    deadline = _current.get()
    if deadline is not None and not deadline.hold():
        # The pending cancellation must arrive here, and not after the commit has been sent.
        await asyncio.sleep(0)
        raise DeadlineError(deadline.seconds)
