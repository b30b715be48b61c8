"""A worker: run the jobs that PgQueuer hands out, and start scheduled ones.

The two loops are independent: one that fails, mostly for want of the database, is restarted after a pause, and does not
affect the other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job as Handed
from pgqueuer.models import Schedule
from pgqueuer.ports.driver import NotifyCallback

from gateway.mail import account_url
from gateway.settings import Settings
from services.catalogue import ANONYMOUS
from services.catalogue.jobs import JobKind
from services.engine.gateway import Gateway
from services.jobs.jobs import queue_lost
from services.jobs.names import CHANNEL, queries
from services.jobs.queue import enqueue
from services.jobs.running import Runner
from services.storage.address import Pooler
from services.storage.connecting import connect
from services.storage.database import ANSWER_SECONDS, SERVER_SETTINGS

REPAIR: Final = "* * * * *"
CONNECTIONS: Final = 4
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
POLL: Final = timedelta(seconds=1)
"""The interval of polling for jobs where notifications cannot arrive."""
LAST_SECONDS: Final = 5.0
"""The seconds in which jobs that are handed back must end."""

_Part = Callable[[asyncpg.Pool, asyncio.Event], Awaitable[None]]

log = structlog.get_logger(__name__)


class Worker:
    """Runs the catalogue's jobs, `concurrency` at once (default: JOBS_CONCURRENCY), until `stop` is set."""

    def __init__(self, gateway: Gateway, settings: Settings, concurrency: int | None = None) -> None:
        self.gateway, self.settings = gateway, settings
        self.concurrency = concurrency or settings.JOBS_CONCURRENCY
        self.runner = Runner(gateway.catalogue.jobs, gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is set, then finish running jobs, or hand them back after SHUTDOWN_GRACE_SECONDS."""
        handing, clock = (asyncio.create_task(self._kept_going(part)) for part in (self._hand_out, self._keep_time))
        log.info(
            "worker_started", jobs=len(self.gateway.catalogue.jobs), concurrency=self.concurrency,
            links=account_url(self.settings),
        )  # fmt: skip
        await self.stop.wait()
        tasks = {handing, clock}
        _, waiting = await asyncio.wait(tasks, timeout=self.settings.SHUTDOWN_GRACE_SECONDS)
        self.runner.hand_back.set()
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=LAST_SECONDS)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("worker_stopped")

    async def _kept_going(self, part: _Part) -> None:
        pause = FIRST_PAUSE
        while not self.stop.is_set():
            try:
                async with self._pool() as pool:
                    pause = FIRST_PAUSE
                    await self._until_stop(part, pool)
            except Exception as error:  # noqa: BLE001 - a worker goes on whatever happens
                log.warning(
                    "worker_begins_anew", part=part.__name__.strip("_"), error=f"{type(error).__name__}: {error}"
                )
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _until_stop(self, part: _Part, pool: asyncpg.Pool) -> None:
        # An event of its own: PgQueuer also sets it when it fails, which must not set `stop`.
        stop, waiting = asyncio.Event(), asyncio.create_task(self.stop.wait())
        waiting.add_done_callback(lambda _: stop.set())
        try:
            await part(pool, stop)
        finally:
            waiting.cancel()

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncpg.Pool]:
        """Yield a separate pool, since PgQueuer keeps a connection to listen."""
        address = self.settings.database
        server_settings = {**SERVER_SETTINGS, "application_name": "hybrid-gateway worker"}

        async def open_connection(*_: Any, **__: Any) -> asyncpg.Connection:
            return await connect(address, server_settings, answer_seconds=ANSWER_SECONDS)

        pool = await asyncpg.create_pool(
            min_size=1, max_size=CONNECTIONS, connect=open_connection,
            # Behind a pooler, asyncpg would reset settings of shared connections, or those it was opened with.
            reset=None if address.pooler is Pooler.NONE else _nothing,
        )  # fmt: skip
        try:
            yield pool
        finally:
            pool.terminate()

    async def _hand_out(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        polls = self.settings.database.pooler is Pooler.TRANSACTION
        manager = QueueManager(queries((PollingDriver if polls else AsyncpgPoolDriver)(pool)), CHANNEL)
        manager.shutdown = stop
        for kind in self.gateway.catalogue.jobs.values():
            manager.entrypoint(kind.name)(self._run)
        heartbeat = timedelta(seconds=self.settings.JOBS_HEARTBEAT_SECONDS)
        await manager.run(
            # A job whose worker has died is found by polling only.
            dequeue_timeout=POLL if polls else heartbeat, batch_size=max(self.concurrency // 2, 1),
            max_concurrent_tasks=max(self.concurrency, 2), shutdown_on_listener_failure=True,
            heartbeat_timeout=heartbeat,
        )  # fmt: skip

    async def _run(self, job: Handed) -> None:
        assert job.payload is not None
        await self.runner.run(UUID(bytes=job.payload), job.id)

    async def _keep_time(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        manager = SchedulerManager(queries(AsyncpgPoolDriver(pool)))
        manager.shutdown = stop
        await self._repair()
        manager.schedule("queue_lost", REPAIR)(self._repair)
        for kind in self.gateway.catalogue.jobs.values():
            if kind.cron is not None:
                manager.schedule(kind.name, kind.cron)(partial(self._begin, kind))
        await manager.run()

    async def _begin(self, kind: JobKind, _schedule: Schedule) -> None:
        async with self.runner.unit_of_work() as call:
            await enqueue(call, kind, once=kind.name)

    async def _repair(self, _schedule: Schedule | None = None) -> None:
        async with self.runner.unit_of_work() as call:
            jobs = await queue_lost(call.session)
        if jobs:
            log.warning("jobs_queued_again", jobs=jobs)


class PollingDriver(AsyncpgPoolDriver):
    """PgQueuer's driver behind a pooler that passes no notifications: it notifies only within this process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._callbacks: list[NotifyCallback] = []

    async def notify(self, channel: str, payload: str) -> None:
        """Call this process's listeners; PgQueuer checks by this whether notifications arrive."""
        for callback in self._callbacks:
            callback(payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        self._callbacks.append(callback)

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        self._callbacks.remove(callback)


async def _nothing(_: asyncpg.Connection) -> None:
    """Do not reset a connection."""


@asynccontextmanager
async def working(gateway: Gateway, settings: Settings) -> AsyncIterator[Worker]:
    worker = Worker(gateway, settings)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop.set()
        await task
