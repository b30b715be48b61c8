"""What becomes of a job in one try, and who may run it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import orjson
from pydantic import SecretStr

from services.catalogue import ANONYMOUS
from services.jobs.jobs import queue_lost
from services.jobs.models import JobState
from services.jobs.queue import enqueue
from services.jobs.running import LONGEST_DELAY, delay_after
from tests.services.jobs.conftest import Yard
from tests.support.databases import run_sql
from tests.support.toil.jobs import Secret, Toil, hurry, toil, whisper


async def until_running(yard: Yard, key: UUID) -> None:
    """Wait until a job is begun."""
    async with asyncio.timeout(30):
        while (await yard.job(key)).state is not JobState.RUNNING:  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.01)


async def test_job_is_there_exactly_when_what_asked_for_it_is_committed(yard: Yard) -> None:
    async with yard.gateway.unit_of_work(ANONYMOUS) as call:
        await enqueue(call, toil, Toil(name="never"))
        await call.session.rollback()
    assert (await yard.rows("jobs"), await yard.rows("pgqueuer")) == ([], [])
    key = await yard.ask(toil, Toil(name="once"))
    job = await yard.job(key)
    assert (job.state, job.attempts, job.run_at) == (JobState.QUEUED, 0, job.created_at)
    ((number, payload),) = await run_sql(yard.url, "select id, payload from pgqueuer")
    assert (number, payload) == (job.ticket, job.id.bytes)


async def test_job_that_is_done_is_not_done_again_and_keeps_no_payload(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work"))
    ticket = (await yard.job(key)).ticket
    done = await yard.run(key)
    assert (done.state, done.attempts, done.error) == (JobState.SUCCEEDED, 1, None)
    assert done.finished_at is not None
    await yard.runner().run(done.id, ticket)
    assert await yard.rows() == [("work", 1, None)]
    assert await run_sql(yard.url, "select payload from jobs") == [("{}",)]


async def test_failed_tries_are_repeated_later_under_a_new_ticket_until_there_were_enough(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work", failures=9))
    first = await yard.job(key)
    for attempt in (1, 2):
        again = await yard.run(key)
        assert (again.state, again.attempts, again.error) == (JobState.QUEUED, attempt, f"RuntimeError: try {attempt}")
        assert again.started_at is not None
        longest = timedelta(seconds=2**attempt)
        assert longest / 2 <= again.run_at - again.started_at <= longest + timedelta(seconds=5)
        # PgQueuer may hand out the old row again.
        await yard.runner().run(again.id, first.ticket)
        assert (await yard.job(key)).attempts == attempt
    last = await yard.run(key)
    assert (last.state, last.attempts, last.error) == (JobState.FAILED, 3, "RuntimeError: try 3")
    assert [row[:2] for row in await yard.rows()] == [("work", 1), ("work", 2), ("work", 3)]


async def test_hopeless_job_is_given_up_at_once(yard: Yard) -> None:
    failed = await yard.run(await yard.ask(toil, Toil(name="work", hopeless=True)))
    assert (failed.state, failed.attempts, failed.error) == (JobState.FAILED, 1, "There is no point in it.")


async def test_try_that_takes_too_long_is_cut_off(yard: Yard) -> None:
    failed = await yard.run(await yard.ask(hurry, Toil(name="slow")))
    assert (failed.state, failed.error) == (JobState.FAILED, "It was not done within 0.05 seconds.")
    assert await yard.rows() == []


async def test_job_that_ends_its_workers_is_given_up(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work"))
    await run_sql(yard.url, "update jobs set state = 'running', attempts = 3")
    failed = await yard.run(key)
    assert (failed.state, failed.error) == (JobState.FAILED, "Its worker died in the last try.")
    assert await yard.rows() == []


async def test_worker_that_is_late_does_not_end_what_another_has_begun_anew(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work", seconds=0.2, failures=1))
    job = await yard.job(key)
    late = asyncio.create_task(yard.runner().run(job.id, job.ticket))
    await until_running(yard, key)
    done = await yard.run(key)
    await late
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert (await yard.job(key)).state is JobState.SUCCEEDED


async def test_what_is_handed_back_is_queued_at_once_and_has_not_been_tried(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work", seconds=60))
    job, runner = await yard.job(key), yard.runner()
    running = asyncio.create_task(runner.run(job.id, job.ticket))
    await until_running(yard, key)
    runner.hand_back.set()
    await running
    back = await yard.job(key)
    assert (back.state, back.attempts, back.error) == (JobState.QUEUED, 0, None)
    assert back.ticket > job.ticket
    assert await yard.rows() == []


async def test_secrets_are_not_in_the_database_and_come_to_who_needs_them(yard: Yard) -> None:
    key = await yard.ask(whisper, Secret(name="hush", secret=SecretStr("sesame")))
    ((stored,),) = await run_sql(yard.url, "select payload from jobs")
    assert isinstance(stored, str)
    assert orjson.loads(stored)["name"] == "hush"
    assert "sesame" not in stored
    assert (await yard.run(key)).state is JobState.SUCCEEDED
    assert await yard.rows() == [("hush", 1, "sesame")]


async def test_payload_that_does_not_fit_any_more_is_said_so(yard: Yard) -> None:
    key = await yard.ask(toil, Toil(name="work"))
    await run_sql(yard.url, """update jobs set payload = '{"nom": "work"}'""")
    failed = await yard.run(key)
    assert (failed.state, failed.error) == (JobState.FAILED, "Its payload does not fit Toil any more: name, nom.")


async def test_one_job_of_a_name_at_a_time(yard: Yard) -> None:
    asked = [yard.ask_once(toil, Toil(name="work"), "work") for _ in range(5)]
    (key,) = [each for each in await asyncio.gather(*asked) if each is not None]
    assert await yard.ask_once(toil, Toil(name="work"), "work") is None
    assert (await yard.run(key)).state is JobState.SUCCEEDED
    assert await yard.ask_once(toil, Toil(name="work"), "work") is not None
    assert len(await yard.rows("jobs")) == 2


async def test_what_pgqueuer_has_lost_is_queued_again(yard: Yard) -> None:
    lost = [await yard.ask(toil, Toil(name=name)) for name in ("deleted", "failed")]
    kept = await yard.ask(toil, Toil(name="kept"))
    before = {each: (await yard.job(each)).ticket for each in (*lost, kept)}
    await run_sql(yard.url, f"delete from pgqueuer where id = {before[lost[0]]}")  # noqa: S608
    await run_sql(yard.url, f"update pgqueuer set status = 'failed' where id = {before[lost[1]]}")  # noqa: S608
    await run_sql(yard.url, f"update jobs set state = 'running', attempts = 1 where ticket = {before[lost[0]]}")  # noqa: S608
    async with yard.gateway.unit_of_work(ANONYMOUS) as call:
        assert await queue_lost(call.session) == 2
    async with yard.gateway.unit_of_work(ANONYMOUS) as call:
        assert await queue_lost(call.session) == 0
    assert (await yard.job(kept)).ticket == before[kept]
    for each in lost:
        assert (await yard.run(each)).state is JobState.SUCCEEDED


async def test_jobs_that_were_done_long_ago_are_forgotten_with_what_was_noted_of_them(yard: Yard) -> None:
    old, young, failed = [await yard.ask(toil, Toil(name=name)) for name in ("old", "young", "failed")]
    await yard.run(old)
    await yard.run(young)
    past = "now() - interval '8 days'"
    await run_sql(yard.url, f"update jobs set finished_at = {past} where id = '{old}'")  # noqa: S608
    await run_sql(yard.url, f"update jobs set state = 'failed', finished_at = {past} where id = '{failed}'")  # noqa: S608
    await run_sql(yard.url, f"update pgqueuer_log set created = {past} where id <= 2")  # noqa: S608
    many = f"select {past}, n, 'queued', 0, 'toil' from generate_series(1, 2500) n"  # noqa: S608
    await run_sql(yard.url, f"insert into pgqueuer_log (created, job_id, status, priority, entrypoint) {many}")
    kind = yard.gateway.catalogue.jobs["sweep_jobs"]
    assert (await yard.run(await yard.ask(kind))).state is JobState.SUCCEEDED
    assert {row[0] for row in await run_sql(yard.url, "select id from jobs where name = 'toil'")} == {young, failed}
    assert await run_sql(yard.url, f"select count(*) from pgqueuer_log where created <= {past}") == [(0,)]  # noqa: S608
    assert await run_sql(yard.url, "select count(*) from pgqueuer_log") == [(2,)]


def test_delays_grow_twofold_up_to_an_hour_and_differ() -> None:
    for attempt, longest in ((1, 2), (2, 4), (5, 32), (12, 3600), (1000, 3600)):
        found = {delay_after(attempt).total_seconds() for _ in range(50)}
        assert longest / 2 <= min(found) < max(found) <= longest <= LONGEST_DELAY.total_seconds()
