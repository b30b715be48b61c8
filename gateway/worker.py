"""A worker: has PgQueuer hand out jobs, and begins those that the clock asks for.

The two are kept going apart from each other: whichever fails, for want of its database above all, is begun anew after a
while, and takes nothing of the other's down with it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.models import Context, Schedule
from pgqueuer.models import Job as Handed
from pgqueuer.ports.driver import NotifyCallback

from gateway.mail import account_url
from gateway.settings import Settings
from services.catalogue import ANONYMOUS
from services.catalogue.jobs import JobKind
from services.engine.gateway import Gateway
from services.jobs.names import CHANNEL, queries
from services.jobs.queue import enqueue
from services.jobs.running import Runner
from services.jobs.upkeep import queue_lost
from services.storage.address import Pooler
from services.storage.connecting import connect
from services.storage.database import ANSWER_SECONDS, SERVER_SETTINGS

REPAIR: Final = "* * * * *"
CONNECTIONS: Final = 4
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
POLL: Final = timedelta(seconds=1)
"""How often jobs are looked for where nobody can tell of them."""
LAST_SECONDS: Final = 5.0
"""What jobs that are given back have to come to their end."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Worker:
    """Runs the catalogue's jobs until it is told to stop."""

    gateway: Gateway
    settings: Settings
    concurrency: int
    runner: Runner
    stop: asyncio.Event

    @classmethod
    def of(cls, gateway: Gateway, settings: Settings, concurrency: int | None = None) -> Worker:
        """A worker; `concurrency` is how many jobs it runs at once, if not as many as the settings say."""
        runner = Runner(gateway.catalogue.jobs, gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
        return cls(gateway, settings, concurrency or settings.JOBS_CONCURRENCY, runner, asyncio.Event())

    async def run(self) -> None:
        """Work until `stop` is set, then finish what was begun, or hand it back when the time is over."""
        handing, clock = (asyncio.create_task(self._kept_going(each)) for each in (self._hand_out, self._keep_time))
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
        for each in waiting:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("worker_stopped")

    async def _kept_going(self, part: Callable[[asyncpg.Pool, asyncio.Event], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while not self.stop.is_set():
            try:
                async with self._pool() as pool, self._followed() as stop:
                    pause = FIRST_PAUSE
                    await part(pool, stop)
            except Exception as error:  # noqa: BLE001 - a worker goes on whatever happens
                log.warning(
                    "worker_begins_anew", part=part.__name__.strip("_"), error=f"{type(error).__name__}: {error}"
                )
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
                pause = min(pause * 2, LONGEST_PAUSE)

    @asynccontextmanager
    async def _followed(self) -> AsyncIterator[asyncio.Event]:
        """An event for PgQueuer that is set when `stop` is. It sets its own when it gives up, which is not our stop."""
        event = asyncio.Event()

        async def follow() -> None:
            await self.stop.wait()
            event.set()

        task = asyncio.create_task(follow())
        try:
            yield event
        finally:
            task.cancel()

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncpg.Pool]:
        """Connections of its own: PgQueuer keeps one to listen."""
        address = self.settings.database
        named = {**SERVER_SETTINGS, "application_name": "hybrid-gateway worker"}

        async def opened(*_: Any, **__: Any) -> asyncpg.Connection:
            return await connect(address, named, answer_seconds=ANSWER_SECONDS)

        pool = await asyncpg.create_pool(
            min_size=1, max_size=CONNECTIONS, connect=opened,
            # Behind a pooler, what asyncpg would undo is not this connection's alone, or is what it was opened with.
            reset=None if address.pooler is Pooler.NONE else _keep,
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
            manager.register_executor(kind.name, _Executor(_PARAMETERS, self.runner))
        heartbeat = timedelta(seconds=self.settings.JOBS_HEARTBEAT_SECONDS)
        await manager.run(
            # Nobody tells of a job whose worker has died: it is looked for.
            dequeue_timeout=POLL if polls else heartbeat, batch_size=max(self.concurrency // 2, 1),
            max_concurrent_tasks=max(self.concurrency, 2), shutdown_on_listener_failure=True,
            heartbeat_timeout=heartbeat,
        )  # fmt: skip

    async def _keep_time(self, pool: asyncpg.Pool, stop: asyncio.Event) -> None:
        manager = SchedulerManager(queries(AsyncpgPoolDriver(pool)))
        manager.shutdown = stop
        await self._repair()
        manager.schedule("queue_lost", REPAIR)(_told(self._repair))
        for kind in self.gateway.catalogue.jobs.values():
            if kind.cron is not None:
                manager.schedule(kind.name, kind.cron)(_told(self._beginning(kind)))
        await manager.run()

    def _beginning(self, kind: JobKind) -> Callable[[], Awaitable[None]]:
        async def begin() -> None:
            async with self.runner.unit_of_work() as call:
                await enqueue(call, kind, once=kind.name)

        return begin

    async def _repair(self) -> None:
        async with self.runner.unit_of_work() as call:
            found = await queue_lost(call.session)
        if found:
            log.warning("jobs_queued_again", jobs=found)


class PollingDriver(AsyncpgPoolDriver):
    """PgQueuer's connections behind a pooler through which no notification comes: it hears itself alone."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._callbacks: list[NotifyCallback] = []

    async def notify(self, channel: str, payload: str) -> None:
        """Tell whoever listens within this process; PgQueuer asks by this whether it is heard."""
        for each in self._callbacks:
            each(payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Call back with what this process says."""
        self._callbacks.append(callback)

    async def remove_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Call back no more."""
        self._callbacks.remove(callback)


async def _keep(_connection: asyncpg.Connection) -> None:
    """Leave a connection as it is."""


def _told(action: Callable[[], Awaitable[None]]) -> Callable[[Schedule], Awaitable[None]]:
    async def scheduled(_schedule: Schedule) -> None:
        await action()

    return scheduled


async def _nothing(_job: Handed) -> None:
    """Stands where PgQueuer would have a function: the executor runs something else."""


_PARAMETERS: Final = EntrypointExecutorParameters(concurrency_limit=0, func=_nothing)


@dataclass(slots=True, eq=False)
class _Executor(AbstractEntrypointExecutor):
    runner: Runner

    async def execute(self, job: Handed, context: Context) -> None:
        """Run what a row of PgQueuer stands for."""
        assert job.payload is not None
        await self.runner.run(UUID(bytes=job.payload), job.id)


@asynccontextmanager
async def working(gateway: Gateway, settings: Settings) -> AsyncIterator[Worker]:
    """A worker within this process, as long as the block lasts."""
    worker = Worker.of(gateway, settings)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop.set()
        await task
