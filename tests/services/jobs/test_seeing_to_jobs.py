"""What admins can do with jobs on both faces, and operators by the command line."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from services.catalogue import ANONYMOUS
from services.catalogue.jobs import JobKind
from services.engine.gateway import Gateway
from services.jobs.models import Job, JobState
from services.jobs.queue import enqueue
from services.storage.base import utc_now
from tests.services.jobs.conftest import MODULES, Yard
from tests.support.accounts import Account
from tests.support.apps import make_admin
from tests.support.audit import Event, every_event, recorded
from tests.support.databases import run_sql
from tests.support.faces import Face
from tests.support.factories import key_of, unknown_id
from tests.support.programs import gateway_command
from tests.support.toil.jobs import Secret, Toil, toil, whisper


@pytest.fixture
async def admin(gateway: Gateway, client: httpx.AsyncClient, eve: Account) -> Account:
    """Somebody who may do everything."""
    return await make_admin(gateway, client, eve)


async def made(gateway: Gateway, kind: JobKind = toil, **values: Any) -> str:
    """A job that nobody runs, with these values."""
    async with gateway.unit_of_work(ANONYMOUS) as call:
        key = await enqueue(call, kind, Toil(name="work"))
        job = await call.session.get_one(Job, key)
        for name, value in values.items():
            setattr(job, name, value)
    return f"job_{job.id.hex}"


async def row(gateway: Gateway, identifier: str) -> Job | None:
    async with gateway.database.reading() as session:
        return await session.get(Job, key_of(identifier))


async def test_admins_see_jobs_and_nobody_else_does(face: Face, gateway: Gateway, admin: Account, ada: Account) -> None:
    job = await made(gateway, user_id=key_of(ada.id))
    shown = await face.ok("get_job", admin, id=job)
    assert shown == {
        "id": job, "name": "toil", "state": "queued", "user_id": ada.id, "attempts": 0, "error": None,
        "created_at": shown["created_at"], "run_at": shown["created_at"], "started_at": None, "finished_at": None,
    }  # fmt: skip
    assert (await face.ok("list_jobs", admin, filter={"id": job}))["data"] == [shown]
    assert (await face.ok("list_jobs", ada, filter={"id": job}))["data"] == []
    for name in ("get_job", "retry_job", "delete_job"):
        assert [(await face.call(name, ada, id=each)).problem for each in (job, unknown_id("job"))] == ["not_found"] * 2
    assert (await face.call("list_jobs")).problem == "unauthenticated"


async def test_failed_job_is_queued_again_with_all_its_tries(face: Face, gateway: Gateway, admin: Account) -> None:
    job = await made(gateway, state=JobState.FAILED, attempts=3, error="broken")
    before = await row(gateway, job)
    assert before is not None
    shown = await face.ok("retry_job", admin, id=job)
    assert [shown[name] for name in ("state", "attempts", "error", "finished_at")] == ["queued", 0, None, None]
    after = await row(gateway, job)
    assert after is not None
    assert after.ticket > before.ticket
    assert (await face.call("retry_job", admin, id=job)).problem == "conflict"


@pytest.mark.parametrize("state", [each for each in JobState if each is not JobState.RUNNING])
async def test_job_that_is_not_running_is_discarded(
    face: Face, gateway: Gateway, admin: Account, state: JobState
) -> None:
    job = await made(gateway, state=state)
    assert (await face.call("delete_job", admin, id=job)).problem is None
    assert await row(gateway, job) is None


async def test_running_job_is_neither_discarded_nor_tried_again(face: Face, gateway: Gateway, admin: Account) -> None:
    job = await made(gateway, state=JobState.RUNNING)
    for name in ("delete_job", "retry_job"):
        assert (await face.call(name, admin, id=job)).problem == "conflict"
    assert await row(gateway, job) is not None


def command(yard: Yard, *arguments: str, **more: str) -> str:
    """Run `gateway jobs …`, with more settings; returns what it says, behind its exit code if it fails."""
    settings = yard.settings
    env = {
        "ENVIRONMENT": "test", "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key, "MODULES": ",".join(MODULES), **more,
    }  # fmt: skip
    done = gateway_command("jobs", *arguments, env=env)
    return done.output if done.exit_code == 0 else f"{done.exit_code}: {done.output}"


async def test_command_lists_shows_retries_and_discards(yard: Yard) -> None:
    failed = f"job_{(await yard.ask(toil, Toil(name='work'))).hex}"
    hidden = f"job_{(await yard.ask(whisper, Secret(name='hush', secret=SecretStr('sesame')))).hex}"
    await run_sql(yard.url, "update jobs set state = 'failed', error = 'broken' where name = 'toil'")
    await asyncio.to_thread(see_to, yard, failed, hidden)


def see_to(settled: Yard, failed: str, hidden: str) -> None:
    """What an operator does, and is told."""
    listed = command(settled, "list", "--state", "failed")
    assert (failed in listed, hidden in listed, "broken" in listed) == (True, False, True)
    shown = orjson.loads(command(settled, "show", hidden))
    assert (shown["id"], shown["state"]) == (hidden, "queued")
    assert shown["payload"] == {"name": "hush", "secret": "**********"}
    assert command(settled, "retry", failed) == "1 queued.\n"
    assert command(settled, "retry", failed) == "1: Only a job that has failed can be tried again.\n"
    assert command(settled, "discard", failed, unknown_id("job")).startswith("1: There is no job job_")
    assert failed in command(settled, "list")
    assert command(settled, "discard", failed, hidden) == "2 discarded.\n"
    assert command(settled, "discard", "itm_1") == "1: There is no job itm_1.\n"


async def test_command_leaves_in_the_audit_what_an_admin_would(
    yard: Yard, face: Face, gateway: Gateway, admin: Account
) -> None:
    failed, other = [f"job_{(await yard.ask(toil, Toil(name=name))).hex}" for name in ("work", "play")]
    broken = "update jobs set state = 'failed', error = 'broken', attempts = 3, finished_at = now()"
    await run_sql(yard.url, broken)
    strict = {"REQUIRE_PRECONDITIONS": "true"}
    refused = await asyncio.to_thread(command, yard, "retry", other, unknown_id("job"))
    assert refused.startswith("1: There is no job job_")
    assert (await yard.job(key_of(other))).state is JobState.FAILED
    assert await every_event(yard.gateway) == {}
    assert await asyncio.to_thread(command, yard, "retry", failed, other, **strict) == "2 queued.\n"
    assert await asyncio.to_thread(command, yard, "discard", other, **strict) == "1 discarded.\n"
    events = [told(each) for each in (await every_event(yard.gateway)).values()]
    assert [(each["operation"], each["resource_id"], each["user_id"]) for each in events] == [
        ("retry_job", failed, None), ("retry_job", other, None), ("delete_job", other, None),
    ]  # fmt: skip
    theirs = await made(gateway, state=JobState.FAILED, error="broken", attempts=3, finished_at=utc_now())
    async with recorded(gateway) as by_admin:
        await face.ok("retry_job", admin, id=theirs)
        assert (await face.call("delete_job", admin, id=theirs)).problem is None
    who = ("user_id", "session_id", "address", "resource_id")
    same = [{name: value for name, value in each.items() if name not in who} for each in events[1:]]
    assert same == [{name: value for name, value in each.items() if name not in who} for each in by_admin]
    assert events[1]["changed"] == ["state", "attempts", "error", "run_at", "finished_at"]
    assert all(each["as_admin"] for each in events)


def told(event: Event) -> Event:
    """What an event says, its key, its time and the request left aside."""
    assert event["request_id"] is None
    return {name: value for name, value in event.items() if name not in ("id", "created_at", "request_id")}
