"""Enqueueing of jobs within the caller's transaction: a job exists exactly when that is committed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
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
"""SQL statements that enqueueing a job adds to an operation."""
LIVE: Final = (JobState.QUEUED, JobState.RUNNING)


async def enqueue(
    call: Call,
    kind: JobKind,
    data: InputModel | None = None,
    *,
    delay: timedelta = timedelta(),
    once: str | None = None,
) -> UUID | None:
    """Enqueue a job to run after `delay`, once the call's transaction is committed. Return its key.

    With `once` there is at most one unfinished job of that name: return None if there is one already.
    """
    key, due = new_key(), call.now + delay
    values = {
        "id": key, "name": kind.name, "state": JobState.QUEUED, "attempts": 0, "once": once, "created_at": call.now,
        "payload": call.part(Payloads).written(data or NoInput()), "user_id": call.actor.user_id, "run_at": due,
        "ticket": await ticket(call.session, kind.name, key, delay),
    }  # fmt: skip
    adding = insert(Job).values(values)
    adding = adding.on_conflict_do_nothing(index_elements=[Job.once], index_where=NOT_DONE)
    return (await call.session.execute(adding.returning(Job.id))).scalar_one_or_none()


async def ticket(session: AsyncSession, name: str, key: UUID, delay: timedelta = timedelta()) -> int:
    """Add a job to PgQueuer's queue. Return the id of its row there, to be stored as `Job.ticket`."""
    count_statement()
    driver = AsyncpgDriver(await begun(session))
    (number,) = await queries(driver).enqueue(name, key.bytes, execute_after=delay)
    return int(number)
