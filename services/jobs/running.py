"""One attempt at a job, by the worker that PgQueuer has assigned it to.

The outcome of an attempt is written in one transaction, including its next entry in the queue, so that a job survives
the loss of PgQueuer's own bookkeeping (with the worker, or with its connection). A job that PgQueuer assigns a second
time is checked: one that is finished, deleted, or queued under another ticket is skipped.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import update  # noqa: TID251 - a worker is no caller

from services.catalogue import Call, Problem
from services.catalogue.jobs import JobKind, PermanentError, Work
from services.jobs.models import Job, JobState
from services.jobs.payloads import Payloads
from services.jobs.queue import LIVE, ticket
from services.storage.base import utc_now

FIRST_DELAY: Final = timedelta(seconds=2)
"""Delay before the second attempt. It doubles for each later one, and is reduced at random by up to a half."""
LONGEST_DELAY: Final = timedelta(hours=1)
MAX_ERROR: Final = 1_000
"""Length of a stored error message in characters."""
RECORDING_SECONDS: Final = 1.0
"""Interval between attempts to write an outcome while the database is unavailable."""

log = structlog.get_logger(__name__)


class _Attempt(NamedTuple):
    kind: JobKind
    key: UUID
    ticket: int
    number: int
    payload: dict[str, Any]


def delay_after(attempt: int) -> timedelta:
    longest: timedelta = min(FIRST_DELAY * 2 ** min(attempt - 1, 30), LONGEST_DELAY)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - so that jobs that failed together are not retried together


@dataclass(slots=True, eq=False)
class Runner:
    """Runs attempts. Once `hand_back` is set, unfinished jobs are cancelled and queued again."""

    kinds: Mapping[str, JobKind]
    parts: Mapping[type, Any]
    unit_of_work: Callable[[], AbstractAsyncContextManager[Call]]
    hand_back: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, key: UUID, ticket_id: int) -> None:
        """Run the job of this key if this is its ticket. Record errors instead of raising them."""
        attempt = await self._recorded(lambda: self._begin(key, ticket_id))
        if attempt is None:
            return
        if attempt.number > attempt.kind.retries + 1:
            # Attempts whose worker died count as well: a job that kills its worker must not be retried for ever.
            await self._recorded(lambda: self._fail(attempt, "Its worker died in the last try.", for_good=True))
            return
        began = monotonic()
        try:
            data = self.parts[Payloads].read(attempt.kind.payload, attempt.payload)
            work = Work(key, attempt.number, utc_now(), self.parts, self.unit_of_work)
            is_done = await self._unless_stopped(attempt.kind.call(work, data), attempt.kind.timeout)
        except Exception as error:  # noqa: BLE001 - any error fails the job, and is recorded
            message, for_good = _message(attempt, error), isinstance(error, PermanentError)
            await self._recorded(lambda: self._fail(attempt, message, for_good=for_good))
            return
        if not is_done:
            # An attempt that was cancelled by a shutdown does not count.
            await self._recorded(lambda: self._queue(attempt, timedelta(), attempts=attempt.number - 1))
            log.info("job_given_back", job=attempt.kind.name, id=f"job_{key.hex}")
            return
        await self._recorded(lambda: self._end(attempt, state=JobState.SUCCEEDED, error=None, payload={}))
        milliseconds = round((monotonic() - began) * 1000)
        log.info("job_done", job=attempt.kind.name, id=f"job_{key.hex}", attempt=attempt.number, ms=milliseconds)

    async def _unless_stopped(self, running: Awaitable[None], seconds: float) -> bool:
        """Return whether an attempt was finished before the worker stops. Raise TimeoutError, and what it raises."""
        task, stop = asyncio.ensure_future(running), asyncio.ensure_future(self.hand_back.wait())
        try:
            await asyncio.wait({task, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            elif not stop.done():
                raise TimeoutError
            return task.done()
        finally:
            for future in (task, stop):
                future.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _recorded(self, record: Callable[[], Awaitable[Any]]) -> Any:
        """Call `record`, and retry while the database is unavailable."""
        while True:
            try:
                return await record()
            except Problem as problem:
                if problem.retry_after is None or self.hand_back.is_set():
                    raise
                log.warning("job_waits_for_the_database", problem=problem.type.code)
                await asyncio.sleep(RECORDING_SECONDS)

    async def _begin(self, key: UUID, ticket_id: int) -> _Attempt | None:
        """Mark the job as running. Return None if there is no unfinished job with this ticket."""
        begun = update(Job).where(Job.id == key, Job.ticket == ticket_id, Job.state.in_(LIVE))
        begun = begun.values(state=JobState.RUNNING, attempts=Job.attempts + 1, started_at=utc_now())
        async with self.unit_of_work() as call:
            row = (await call.session.execute(begun.returning(Job.name, Job.attempts, Job.payload))).one_or_none()
        return None if row is None else _Attempt(self.kinds[row.name], key, ticket_id, row.attempts, row.payload)

    async def _fail(self, attempt: _Attempt, error: str, *, for_good: bool) -> None:
        """Queue the job again for later, unless it failed `for_good` or this was the last attempt."""
        fields = {"job": attempt.kind.name, "id": f"job_{attempt.key.hex}", "attempt": attempt.number, "error": error}
        if for_good or attempt.number > attempt.kind.retries:
            await self._end(attempt, state=JobState.FAILED, error=error)
            log.error("job_failed", **fields)
            return
        delay = delay_after(attempt.number)
        await self._queue(attempt, delay, error=error)
        log.warning("job_will_be_tried_again", seconds=round(delay.total_seconds(), 1), **fields)

    async def _queue(self, attempt: _Attempt, delay: timedelta, **values: Any) -> None:
        async with self.unit_of_work() as call:
            ticket_id = await ticket(call.session, attempt.kind.name, attempt.key, delay)
            values |= {"state": JobState.QUEUED, "ticket": ticket_id, "run_at": call.now + delay}
            await call.session.execute(_update_of(attempt).values(values))

    async def _end(self, attempt: _Attempt, **values: Any) -> None:
        async with self.unit_of_work() as call:
            await call.session.execute(_update_of(attempt).values(finished_at=call.now, **values))


def _update_of(attempt: _Attempt) -> Any:
    """Return an UPDATE of the job, which matches no row if another worker has begun a new attempt."""
    is_current = (Job.id == attempt.key, Job.ticket == attempt.ticket, Job.attempts == attempt.number)
    return update(Job).where(*is_current, Job.state == JobState.RUNNING)


def _message(attempt: _Attempt, error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"It was not done within {attempt.kind.timeout:g} seconds."
    message = str(error) if isinstance(error, (PermanentError, Problem)) else f"{type(error).__name__}: {error}"
    return message[:MAX_ERROR].replace("\x00", "")
