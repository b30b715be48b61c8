"""Asking for jobs, within the transaction of what asks: a job exists exactly when that is committed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from sqlalchemy import exists, select  # noqa: TID251 - whether the gateway has asked for it already
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue import Call, InputModel, new_key
from services.catalogue.jobs import JobKind
from services.catalogue.models import NoInput
from services.jobs.models import NOT_DONE, Job, JobState
from services.jobs.names import queries
from services.jobs.payloads import Payloads
from services.storage.database import count_statement
from services.storage.prepared import begun

STATEMENTS: Final = 2
"""What asking for a job adds to those of an operation."""
LIVE: Final = (JobState.QUEUED, JobState.RUNNING)


async def enqueue(
    call: Call,
    kind: JobKind,
    data: InputModel | None = None,
    *,
    delay: timedelta = timedelta(),
    once: str | None = None,
) -> UUID | None:  # fmt: skip
    """Have a job done, not before `delay` is over, if the call's transaction is committed; returns its key.

    With `once` there is only one job of this name at a time: None if there is one that is not done yet.
    """
    session, key, due = call.session, new_key(), call.now + delay
    if once is not None and await _is_waiting(session, once):
        return None
    values = {
        "id": key, "name": kind.name, "state": JobState.QUEUED, "attempts": 0, "once": once, "created_at": call.now,
        "payload": call.part(Payloads).written(data or NoInput()), "user_id": call.actor.user_id, "run_at": due,
        "ticket": await ticket(session, kind.name, key, delay),
    }  # fmt: skip
    adding = insert(Job).values(values)
    adding = adding.on_conflict_do_nothing(index_elements=[Job.once], index_where=NOT_DONE)
    return (await session.execute(adding.returning(Job.id))).scalar_one_or_none()


async def again(session: AsyncSession, job: Job, delay: timedelta = timedelta()) -> int:
    """Have a job done that is there already; returns its new ticket."""
    return await ticket(session, job.name, job.id, delay)


async def ticket(session: AsyncSession, name: str, key: UUID, delay: timedelta) -> int:
    """Put a job into PgQueuer's queue; returns the number it has there, which makes it valid."""
    count_statement()
    driver = AsyncpgDriver(await begun(session))
    (number,) = await queries(driver).enqueue(name, key.bytes, execute_after=delay)
    return int(number)


async def _is_waiting(session: AsyncSession, once: str) -> bool:
    waiting = select(exists().where(Job.once == once, Job.state.in_(LIVE)))
    return bool((await session.execute(waiting)).scalar_one())
