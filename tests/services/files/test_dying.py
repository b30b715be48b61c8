"""A process dies before any step of an upload or a deletion: nothing of a living file is lost, and nothing is left."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import obstore
import pytest
from sqlalchemy import select, update

from services.catalogue import ANONYMOUS, new_key
from services.catalogue.jobs import JobKind, Work
from services.engine.gateway import Gateway
from services.files import jobs, uploads
from services.files import store as stores
from services.files.config import FilesConfig
from services.files.jobs import GoneFile, delete_file_bytes, forget_pending_files, sweep_files
from services.files.models import File
from services.files.store import FileStore
from services.files.uploads import Upload, UploadRange
from services.jobs.models import Job
from services.storage.base import utc_now
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.uploads import announced, fetch, make_file, pieces

TEXT = bytes(range(32, 127)) * 2 + b"brass wheel " * 5
SIZE = len(TEXT)
STEPS = 9
"""Of `_sent`: chunks, beginnings of chunks and rows that are written, objects that are removed."""


class DiedError(Exception):
    """The process is gone."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stores, uploads, jobs):
        monkeypatch.setattr(module, "CHUNK", 100)


class Death:
    """Comes before a step; what has died does nothing any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before: int, *steps: tuple[Any, str]) -> None:
        self.done, self.before, self.trace = 0, before, list[str]()
        self.is_dead = False
        for owner, name in steps:
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name)))
        release = uploads._release
        monkeypatch.setattr(uploads, "_release", self._unless_dead(release))

    def _watched(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*given: Any, **named: Any) -> Any:
            if self.done == self.before:
                self.is_dead = True
                raise DiedError
            self.done += 1
            self.trace.append(step.__name__)
            return await step(*given, **named)

        return watched

    def _unless_dead(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def unless_dead(*given: Any) -> Any:
            return None if self.is_dead else await step(*given)

        return unless_dead


def key_of(id: str) -> UUID:
    return UUID(id.removeprefix("fil_"))


async def run(gateway: Gateway, kind: JobKind, data: Any = None) -> None:
    """One try of a job."""
    work = Work(new_key(), 1, utc_now(), gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
    await kind.call(work, data)


async def change(gateway: Gateway, id: str, **values: Any) -> None:
    async with gateway.unit_of_work(ANONYMOUS) as call:
        await call.session.execute(update(File).where(File.id == key_of(id)).values(**values))


async def names(gateway: Gateway, id: str) -> list[str]:
    found = [x["path"] async for batch in gateway.part(FileStore).store.list(key_of(id).hex) for x in batch]
    return sorted(each.partition("/")[2] for each in found)


def age(gateway: Gateway, id: str) -> None:
    """Let all there is of a file be of the day before yesterday."""
    root = gateway.part(FileStore).root
    assert root is not None
    then = time.time() - 2 * 86_400
    for each in (root / key_of(id).hex).glob("*/*"):
        os.utime(each, (then, then))


async def is_asked_for(gateway: Gateway, id: str) -> bool:
    """Whether a job has been asked to delete the bytes."""
    async with gateway.database.reading() as session:
        asked = (await session.execute(select(Job.payload).where(Job.name == "delete_file_bytes"))).scalars().all()
    return {"file_id": id} in [dict(each) for each in asked]


async def _sent(gateway: Gateway, id: str) -> None:
    """An upload in two requests, of which the first ends within a chunk."""
    for start, end in ((0, 130), (130, SIZE)):
        await uploads.received(
            gateway, key_of(id), UploadRange(start, end, SIZE),
            pieces([TEXT[start:end]]),
        )  # fmt: skip


async def _dead(
    gateway: Gateway, rest: RestFace, ada: Account, before: int, monkeypatch: pytest.MonkeyPatch
) -> Any:  # fmt: skip
    """A file whose process died before a step; the lease has ended."""
    made = await rest.ok("create_file", ada, announced(TEXT))
    with monkeypatch.context() as patch:
        death = Death(
            patch, before, (FileStore, "put"), (FileStore, "remove"), (FileStore, "delete"), (Upload, "_update")
        )
        try:
            await _sent(gateway, made["id"])
        except DiedError:
            assert death.is_dead
        assert death.done == min(before, STEPS), death.trace
    await change(gateway, made["id"], leased_until=utc_now() - timedelta(seconds=1))
    return made


@pytest.mark.parametrize("before", range(STEPS + 1))
async def test_an_upload_that_died_can_be_ended_and_leaves_only_its_chunks(
    rest: RestFace, gateway: Gateway, ada: Account, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await _dead(gateway, rest, ada, before, monkeypatch)
    age(gateway, made["id"])
    await run(gateway, sweep_files)
    offset = int((await rest.client.head(made["upload_url"])).headers["upload-offset"])
    assert offset == (0, 0, 100, 100, 130, 130, 200, 200, 200, SIZE)[before]
    if offset < SIZE:
        part = {"Content-Range": f"bytes {offset}-{SIZE - 1}/{SIZE}"}
        sent = await rest.client.put(made["upload_url"], content=TEXT[offset:], headers=part)
        assert sent.status_code == 204, sent.text
    await rest.ok("complete_file", ada, id=made["id"])
    age(gateway, made["id"])
    await run(gateway, sweep_files)
    assert (await fetch(rest, ada, made["id"])).content == TEXT
    there = await names(gateway, made["id"])
    assert [each.partition("/")[2] for each in there] == ["000000", "000001", "000002"]
    assert len({each.partition("/")[0] for each in there}) == 1


@pytest.mark.parametrize("before", range(STEPS + 1))
async def test_an_upload_that_died_and_is_given_up_leaves_nothing(
    rest: RestFace, gateway: Gateway, ada: Account, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await _dead(gateway, rest, ada, before, monkeypatch)
    late = utc_now() - gateway.part(FilesConfig).pending_lifetime - timedelta(seconds=1)
    await change(gateway, made["id"], created_at=late, **({"checked_at": late} if before == STEPS else {}))
    await run(gateway, forget_pending_files)
    assert (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []
    assert await is_asked_for(gateway, made["id"])
    await run(gateway, delete_file_bytes, GoneFile.model_construct(file_id=key_of(made["id"])))
    assert await names(gateway, made["id"]) == []


@pytest.mark.parametrize("by_job", [True, False])
@pytest.mark.parametrize("before", range(4))
async def test_a_deletion_that_died_is_ended_by_its_job_or_by_the_sweep(
    rest: RestFace, gateway: Gateway, ada: Account, before: int, by_job: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await make_file(rest, ada, TEXT, media_type="text/plain")
    other = await make_file(rest, ada, TEXT, media_type="text/plain")
    await rest.ok("delete_file", ada, id=row["id"])
    assert await is_asked_for(gateway, row["id"])
    gone = GoneFile.model_construct(file_id=key_of(row["id"]))
    with monkeypatch.context() as patch:
        patch.setattr(stores, "AT_ONCE", 1)  # so that it is known which have gone
        death = Death(patch, before, (obstore, "delete_async"))
        try:
            await run(gateway, delete_file_bytes, gone)
        except DiedError:
            assert death.is_dead
    assert len(await names(gateway, row["id"])) == 3 - before
    for each in (row, other):
        age(gateway, each["id"])
    await (run(gateway, delete_file_bytes, gone) if by_job else run(gateway, sweep_files))
    assert await names(gateway, row["id"]) == []
    assert (await fetch(rest, ada, other["id"])).content == TEXT


async def test_what_a_late_writer_leaves_in_an_attempt_before_is_swept(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    made = await rest.ok("create_file", ada, announced(TEXT))
    for _ in range(2):
        part = {"Content-Range": f"bytes 0-129/{SIZE}"}
        assert (await rest.client.put(made["upload_url"], content=TEXT[:130], headers=part)).status_code == 204
    assert await gateway.part(FileStore).put(f"{key_of(made['id']).hex}/1/000001", b"x" * 100)
    await run(gateway, sweep_files)
    assert await names(gateway, made["id"]) == ["1/000001", "2/000000", "2/000001.30"]  # it is young
    age(gateway, made["id"])
    await run(gateway, sweep_files)
    assert await names(gateway, made["id"]) == ["2/000000", "2/000001.30"]


async def test_all_that_nobody_completed_is_forgotten_but_what_is_being_sent(
    rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SWEPT", 2)
    made = [await rest.ok("create_file", ada, announced(TEXT)) for _ in range(7)]
    lifetime = gateway.part(FilesConfig).pending_lifetime
    for each in made:
        await change(gateway, each["id"], created_at=utc_now() - lifetime - timedelta(seconds=1))
    soon, past = utc_now() + timedelta(minutes=1), utc_now() - timedelta(seconds=1)
    await change(gateway, made[0]["id"], lease=new_key(), leased_until=soon)
    await change(gateway, made[1]["id"], lease=new_key(), leased_until=past)
    endless = {"lease": new_key(), "leased_until": soon, "created_at": utc_now() - 2 * lifetime - timedelta(seconds=1)}
    await change(gateway, made[2]["id"], **endless)
    await change(gateway, made[3]["id"], checked_at=utc_now())
    await change(gateway, made[4]["id"], checked_at=utc_now() - timedelta(hours=2))
    await run(gateway, forget_pending_files)
    left = {each["id"] for each in (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"]}
    assert left == {made[0]["id"], made[3]["id"]}
    for each in (*made[1:3], *made[4:]):
        assert await is_asked_for(gateway, each["id"])
