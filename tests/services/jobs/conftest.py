"""A database of its own, so that no other test's jobs are among these."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from gateway.runtime import open_gateway
from gateway.settings import DEFAULT_MODULES, Settings
from services.catalogue import ANONYMOUS, Catalogue, InputModel
from services.catalogue.jobs import JobKind
from services.engine.gateway import Gateway
from services.jobs.models import Job
from services.jobs.queue import enqueue
from services.jobs.running import Runner
from tests.conftest import _DATABASE, TEMPLATE, make_settings, with_database
from tests.support.databases import run_sql
from tests.support.toil.jobs import TABLE

MODULES = [*DEFAULT_MODULES, "tests.support.toil"]


@dataclass
class Yard:
    """A gateway whose catalogue has the jobs of tests/support/toil, with its settings."""

    gateway: Gateway
    settings: Settings

    @property
    def url(self) -> str:
        """The address of its database."""
        return self.settings.database_url

    def runner(self) -> Runner:
        """What runs tries, without a worker."""
        return Runner(self.gateway.catalogue.jobs, self.gateway.parts, lambda: self.gateway.unit_of_work(ANONYMOUS))

    async def ask(self, kind: JobKind, data: InputModel | None = None) -> UUID:
        """Have a job done."""
        key = await self.ask_once(kind, data, None)
        assert key is not None
        return key

    async def ask_once(self, kind: JobKind, data: InputModel | None, once: str | None) -> UUID | None:
        """The same, unless there is one of this name."""
        async with self.gateway.unit_of_work(ANONYMOUS) as call:
            return await enqueue(call, kind, data, once=once)

    async def job(self, key: UUID) -> Job:
        """A job as it is."""
        async with self.gateway.database.reading() as session:
            return (await session.execute(select(Job).where(Job.id == key))).scalar_one()

    async def run(self, key: UUID) -> Job:
        """Run a try of a job; returns the job as it is then."""
        before = await self.job(key)
        await self.runner().run(before.id, before.ticket)
        return await self.job(key)

    async def rows(self, of: str = "toil", order: str = "1, 2") -> Sequence[tuple[object, ...]]:
        """The rows of a table."""
        return await run_sql(self.url, f"select * from {of} order by {order}")  # noqa: S608 - the test's own words


@pytest.fixture
async def yard(settings: Settings) -> AsyncIterator[Yard]:
    """The gateway."""
    base, name = os.environ[_DATABASE], f"gateway_jobs_{uuid4().hex[:12]}"
    await run_sql(base, f"create database {name} template {TEMPLATE}")
    url = with_database(base, name)
    own = make_settings(
        DATABASE_URL=url, REDIS_URL=settings.redis_url, MODULES=MODULES, JOBS_HEARTBEAT_SECONDS=2,
        SHUTDOWN_GRACE_SECONDS=1,
    )  # fmt: skip
    await run_sql(url, TABLE)
    try:
        async with open_gateway(own, Catalogue.load(own.MODULES)) as gateway:
            yield Yard(gateway, own)
    finally:
        await run_sql(base, f"drop database {name} with (force)")
