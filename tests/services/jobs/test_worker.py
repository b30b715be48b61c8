"""Workers: what they do when they, or their database, are interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pgqueuer.core.qm import QueueManager

from gateway.worker import Worker, working
from services.catalogue import ANONYMOUS
from services.jobs.queue import enqueue
from tests.services.jobs.conftest import MODULES, Yard
from tests.support.databases import run_sql
from tests.support.programs import ROOT, _path, environment_with
from tests.support.server import environment
from tests.support.toil.jobs import Toil, toil

PATIENCE = 60


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that must come."""
    async with asyncio.timeout(PATIENCE):
        while not await found():  # noqa: ASYNC110 - it is another process that does it
            await asyncio.sleep(0.05)


async def states(yard: Yard) -> dict[str, int]:
    """How many jobs there are in each state."""
    found = await run_sql(yard.url, "select state, count(*) from jobs where name = 'toil' group by 1")
    return {str(state): int(str(count)) for state, count in found}


async def done_by(yard: Yard) -> set[object]:
    """The names of jobs that have left a row."""
    return {row[0] for row in await yard.rows()} - {"chime"}


async def ask_all(yard: Yard, names: Sequence[str], **data: Any) -> None:
    async with yard.gateway.unit_of_work(ANONYMOUS) as call:
        for name in names:
            await enqueue(call, toil, Toil(name=name, **data))


@contextmanager
def process(yard: Yard, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`gateway worker` with more settings, killed at the end if it is still there."""
    values = {
        name: value for name, value in environment(yard.settings).items() if name in type(yard.settings).model_fields
    }
    values |= {"MODULES": ",".join(MODULES), "JOBS_HEARTBEAT_SECONDS": "2", "SHUTDOWN_GRACE_SECONDS": "1", **more}
    with log.open("wb") as out:
        running = subprocess.Popen(
            [_path("gateway"), "worker", "--concurrency", "6"], env=environment_with(values), cwd=ROOT,
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


async def test_worker_runs_what_is_asked_for_and_what_the_clock_asks_for(yard: Yard) -> None:
    async with working(yard.gateway, yard.settings):
        await ask_all(yard, ["a", "b"])

        async def done() -> bool:
            return await states(yard) == {"succeeded": 2}

        await until(done)

        async def scheduled() -> bool:
            found = await run_sql(yard.url, "select count(*) from pgqueuer_schedules")
            return found == [(1 + sum(each.cron is not None for each in yard.gateway.catalogue.jobs.values()),)]

        await until(scheduled)
        await run_sql(yard.url, "update pgqueuer_schedules set next_run = now() where entrypoint = 'chime'")
    async with working(yard.gateway, yard.settings):

        async def chimed() -> bool:
            return ("chime", 1, None) in await yard.rows()

        await until(chimed)


async def test_job_in_hand_is_finished_or_handed_back_when_a_worker_stops(yard: Yard) -> None:
    worker = Worker(yard.gateway, yard.settings)
    task = asyncio.create_task(worker.run())
    await ask_all(yard, ["short"], seconds=0.5)
    await ask_all(yard, ["long"], seconds=600)

    async def begun() -> bool:
        return await states(yard) == {"running": 2}

    await until(begun)
    worker.stop.set()
    await task
    assert await states(yard) == {"succeeded": 1, "queued": 1}
    assert await done_by(yard) == {"short"}
    assert await run_sql(yard.url, "select attempts from jobs where state = 'queued'") == [(0,)]


async def test_command_stops_in_order(yard: Yard, tmp_path: Path) -> None:
    with process(yard, tmp_path / "log", PUBLIC_URL="http://127.0.0.1:9000") as running:
        await ask_all(yard, ["long"], seconds=600)

        async def begun() -> bool:
            return await states(yard) == {"running": 1}

        await until(begun)
        running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, PATIENCE) == 0
        assert await states(yard) == {"queued": 1}
    said = (tmp_path / "log").read_text()
    assert "worker_stopped" in said
    # Who runs one beside a server on another port can see where its mails lead.
    assert "http://127.0.0.1:9000/account" in said


@pytest.mark.proof
async def test_worker_killed_in_the_middle_of_a_hundred_jobs_loses_none(yard: Yard, tmp_path: Path) -> None:
    names = [f"job {number:03}" for number in range(100)]
    with ExitStack() as stack:
        victim, _other = (stack.enter_context(process(yard, tmp_path / f"log{number}")) for number in range(2))
        await ask_all(yard, names, seconds=0.1)

        async def halfway() -> bool:
            return (await states(yard)).get("succeeded", 0) >= 40

        await until(halfway)
        os.kill(victim.pid, signal.SIGKILL)

        async def done() -> bool:
            return await states(yard) == {"succeeded": 100}

        await until(done)
    assert await done_by(yard) == set(names)


@pytest.mark.proof
async def test_worker_recovers_from_a_database_that_went_away(yard: Yard, tmp_path: Path) -> None:
    name = yard.url.rpartition("/")[2].partition("?")[0]
    base = yard.url.replace(name, "postgres")
    with process(yard, tmp_path / "log"):
        await ask_all(yard, ["before"])

        async def before() -> bool:
            return await states(yard) == {"succeeded": 1}

        await until(before)
        await ask_all(yard, ["within"], seconds=1)

        async def begun() -> bool:
            return "running" in await states(yard)

        await until(begun)
        await run_sql(base, f"alter database {name} with allow_connections false")
        await run_sql(base, f"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{name}'")  # noqa: S608
        await asyncio.sleep(2)
        await run_sql(base, f"alter database {name} with allow_connections true")
        await ask_all(yard, ["after"])

        async def done() -> bool:
            return await states(yard) == {"succeeded": 3}

        await until(done)
    assert await done_by(yard) == {"before", "within", "after"}


async def test_idle_worker_goes_on_after_it_could_not_listen(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    periodic, soon = QueueManager._run_periodic_health_check, timedelta(seconds=0.3)
    monkeypatch.setattr(QueueManager, "_run_periodic_health_check", lambda manager: periodic(manager, soon))
    async with working(yard.gateway, yard.settings) as worker:
        await ask_all(yard, ["before"])

        async def before() -> bool:
            return await states(yard) == {"succeeded": 1}

        await until(before)
        # Whoever listens waits, and has done so last of all.
        cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        listening = "application_name = 'hybrid-gateway worker' and query ilike 'listen%'"
        assert await run_sql(yard.url, f"{cut} where datname = current_database() and {listening}") == [(1,)]

        async def heard_again() -> bool:
            found = f"select count(*) from pg_stat_activity where datname = current_database() and {listening}"  # noqa: S608
            return await run_sql(yard.url, found) == [(1,)]

        await until(heard_again)
        await ask_all(yard, ["after"])

        async def after() -> bool:
            return await states(yard) == {"succeeded": 2}

        await until(after)
        assert not worker.stop.is_set()
