"""One try of a job, by the worker that PgQueuer has given it to.

What becomes of a job is written in one transaction, its next place in the queue included, so that PgQueuer's own
bookkeeping may be lost (with the worker, or with its connection) without the job being lost. Whatever PgQueuer hands
out a second time is looked at again: a job that is done, discarded, or in the queue under another ticket is let go.
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
from services.catalogue.jobs import HopelessError, JobKind, Work
from services.jobs.models import Job, JobState
from services.jobs.payloads import Payloads
from services.jobs.queue import LIVE, ticket
from services.storage.base import utc_now

FIRST_DELAY: Final = timedelta(seconds=2)
"""Before the second try; each later one waits twice as long, less up to a half by chance."""
LONGEST_DELAY: Final = timedelta(hours=1)
MAX_ERROR: Final = 1_000
"""Characters that are kept of what went wrong."""
RECORDING_SECONDS: Final = 1.0
"""Between two tries to write down what came of a job, while the database is away."""

log = structlog.get_logger(__name__)

Opener = Callable[[], AbstractAsyncContextManager[Call]]


class StoppingError(Exception):
    """The worker has to go before the job is done: somebody else does it."""


class _Try(NamedTuple):
    kind: JobKind
    key: UUID
    ticket: int
    attempt: int
    payload: dict[str, Any]


def delay_after(attempt: int) -> timedelta:
    """How long to wait after a try has failed."""
    longest: timedelta = min(FIRST_DELAY * 2 ** min(attempt - 1, 30), LONGEST_DELAY)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - so that what failed together is not tried together


@dataclass(slots=True, eq=False)
class Runner:
    """Runs tries. Once `hand_back` is set, whatever is not done is given up, and is queued again."""

    kinds: Mapping[str, JobKind]
    parts: Mapping[type, Any]
    unit_of_work: Opener
    hand_back: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, key: UUID, number: int) -> None:
        """Run the job of this key if this is its ticket. What goes wrong is written down, not raised."""
        this = await self._recorded(lambda: self._begin(key, number))
        if this is None:
            return
        if this.attempt > this.kind.retries + 1:
            # Tries that ended with their worker count as well: one that kills it must not go round for ever.
            await self._recorded(lambda: self._fail(this, "Its worker died in the last try.", for_good=True))
            return
        began = monotonic()
        try:
            data = self.part(Payloads).read(this.kind.payload, this.payload)
            work = Work(key, this.attempt, utc_now(), self.parts, self.unit_of_work)
            await self._unless_stopped(this.kind.call(work, data), this.kind.timeout)
        except StoppingError:
            await self._recorded(lambda: self._give_back(this))
        except Exception as error:  # noqa: BLE001 - whatever it is, the job has failed, and says so
            said, for_good = _said(this, error), isinstance(error, HopelessError)
            await self._recorded(lambda: self._fail(this, said, for_good=for_good))
        else:
            await self._recorded(lambda: self._succeed(this))
            milliseconds = round((monotonic() - began) * 1000)
            log.info("job_done", job=this.kind.name, id=f"job_{key.hex}", attempt=this.attempt, ms=milliseconds)

    def part(self, kind: type[Payloads]) -> Payloads:
        """The part that reads payloads."""
        found: Payloads = self.parts[kind]
        return found

    async def _unless_stopped(self, doing: Awaitable[None], seconds: float) -> None:
        """Wait for a try. Raises StoppingError, TimeoutError, and what it raises."""
        task, stop = asyncio.ensure_future(doing), asyncio.ensure_future(self.hand_back.wait())
        try:
            await asyncio.wait({task, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return await task
            raise StoppingError if stop.done() else TimeoutError
        finally:
            for each in (task, stop):
                each.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _recorded(self, record: Callable[[], Awaitable[Any]]) -> Any:
        """Have something written down, however long the database is away."""
        while True:
            try:
                return await record()
            except Problem as problem:
                if problem.retry_after is None or self.hand_back.is_set():
                    raise
                log.warning("job_waits_for_the_database", problem=problem.type.code)
                await asyncio.sleep(RECORDING_SECONDS)

    async def _begin(self, key: UUID, number: int) -> _Try | None:
        """Note that a try begins; None where there is nothing to do under this ticket (any more)."""
        mine = update(Job).where(Job.id == key, Job.ticket == number, Job.state.in_(LIVE))
        mine = mine.values(state=JobState.RUNNING, attempts=Job.attempts + 1, started_at=utc_now())
        async with self.unit_of_work() as call:
            row = (await call.session.execute(mine.returning(Job.name, Job.attempts, Job.payload))).one_or_none()
        return None if row is None else _Try(self.kinds[row.name], key, number, row.attempts, row.payload)

    async def _succeed(self, this: _Try) -> None:
        await self._end(this, state=JobState.SUCCEEDED, error=None, payload={})

    async def _fail(self, this: _Try, error: str, *, for_good: bool) -> None:
        """Queue a job again for later, unless it is `for_good` or this was the last try."""
        about = {"job": this.kind.name, "id": f"job_{this.key.hex}", "attempt": this.attempt, "error": error}
        if for_good or this.attempt > this.kind.retries:
            await self._end(this, state=JobState.FAILED, error=error)
            log.error("job_failed", **about)
            return
        delay = delay_after(this.attempt)
        await self._queue(this, delay, error=error)
        log.warning("job_will_be_tried_again", seconds=round(delay.total_seconds(), 1), **about)

    async def _give_back(self, this: _Try) -> None:
        """Queue a job again at once: a try that was cut short does not count."""
        await self._queue(this, timedelta(), attempts=this.attempt - 1)
        log.info("job_given_back", job=this.kind.name, id=f"job_{this.key.hex}")

    async def _queue(self, this: _Try, delay: timedelta, **values: Any) -> None:
        async with self.unit_of_work() as call:
            number = await ticket(call.session, this.kind.name, this.key, delay)
            values |= {"state": JobState.QUEUED, "ticket": number, "run_at": call.now + delay}
            await call.session.execute(_this(this).values(values))

    async def _end(self, this: _Try, **values: Any) -> None:
        async with self.unit_of_work() as call:
            await call.session.execute(_this(this).values(finished_at=call.now, **values))


def _this(this: _Try) -> Any:
    """The job, unless somebody else has begun it anew, which is then theirs to end."""
    mine = (Job.id == this.key, Job.ticket == this.ticket, Job.attempts == this.attempt)
    return update(Job).where(*mine, Job.state == JobState.RUNNING)


def _said(this: _Try, error: Exception) -> str:
    """What went wrong, in a line or a few."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"It was not done within {this.kind.timeout:g} seconds."
    shown = str(error) if isinstance(error, (HopelessError, Problem)) else f"{type(error).__name__}: {error}"
    return shown[:MAX_ERROR].replace("\x00", "")
