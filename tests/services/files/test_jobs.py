"""What becomes of bytes by jobs: nothing is lost, and nothing is left over, wherever a process dies."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from services.catalogue import ANONYMOUS, new_key
from services.catalogue.jobs import JobKind, Work
from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from services.files.jobs import GoneFile, delete_file_bytes, forget_pending_files, sweep_files
from services.files.models import File
from services.files.store import FileStore, Place
from services.jobs.models import Job
from services.storage.base import utc_now
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.uploads import PNG, announced, fetch, make_file


def key_of(id: str) -> UUID:
    return UUID(id.removeprefix("fil_"))


async def run(gateway: Gateway, kind: JobKind, data: Any = None) -> None:
    """One try of a job."""
    work = Work(new_key(), 1, utc_now(), gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
    await kind.call(work, data)


async def chunks(gateway: Gateway, id: str) -> int:
    return len([x async for batch in gateway.part(FileStore).store.list(id.removeprefix("fil_")) for x in batch])


def there(path: Path) -> bool:
    return path.exists()


def age(gateway: Gateway, id: str, name: str = "1/000000") -> None:
    """Let a chunk be of the day before yesterday."""
    root = gateway.part(FileStore).root
    assert root is not None
    then = time.time() - 2 * 86_400
    os.utime(Path(root, id.removeprefix("fil_"), name), (then, then))


async def test_bytes_go_once_the_row_is_gone_and_going_again_is_nothing(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    row = await make_file(rest, ada)
    await rest.ok("delete_file", ada, id=row["id"])
    assert await chunks(gateway, row["id"]) == 1
    for _ in range(2):
        await run(gateway, delete_file_bytes, GoneFile.model_construct(file_id=key_of(row["id"])))
        assert await chunks(gateway, row["id"]) == 0


async def test_what_is_not_completed_in_time_is_forgotten(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    kept, late = [await rest.ok("create_file", ada, announced(PNG)) for _ in range(2)]
    done = await make_file(rest, ada)
    assert (await rest.client.put(late["upload_url"], content=PNG)).status_code == 204
    old = utc_now() - gateway.part(FilesConfig).pending_lifetime - timedelta(seconds=1)
    async with gateway.unit_of_work(ANONYMOUS) as call:
        keys = [key_of(late["id"]), key_of(done["id"])]
        await call.session.execute(update(File).where(File.id.in_(keys)).values(created_at=old, checked_at=old))
    await run(gateway, forget_pending_files)
    found = {each["id"] for each in (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"]}
    assert found == {kept["id"], done["id"]}
    async with gateway.database.reading() as session:
        asked = (await session.execute(select(Job.payload).where(Job.name == "delete_file_bytes"))).scalars().all()
    assert {"file_id": late["id"]} in [dict(each) for each in asked]


async def test_old_bytes_without_a_row_are_swept(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    """As they are left by a workspace that is deleted, and by an upload whose file is deleted while it is written."""
    row, young, old = await make_file(rest, ada), f"fil_{new_key().hex}", f"fil_{new_key().hex}"
    store = gateway.part(FileStore)
    for each in (young, old):
        assert await store.put(Place(key_of(each), 1).chunk(0), b"x")
    for each in (row["id"], old):
        age(gateway, each)
    root = store.root
    assert root is not None
    unfinished = Path(root, key_of(young).hex, "1", "000001#1")
    unfinished.write_bytes(b"half")  # noqa: ASYNC240 - a few bytes
    age(gateway, young, f"1/{unfinished.name}")
    await run(gateway, sweep_files)
    assert [await chunks(gateway, each) for each in (row["id"], young, old)] == [1, 1, 0]
    assert not there(unfinished)
    assert not there(root / key_of(old).hex)
    assert (await fetch(rest, ada, row["id"])).content == PNG


async def test_a_deletion_that_is_rolled_back_keeps_all(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    row = await make_file(rest, ada)
    refused = await rest.call("delete_file", ada, id=row["id"], expected="another")
    assert refused.problem == "precondition_failed"
    assert (await fetch(rest, ada, row["id"])).content == PNG
    async with gateway.database.reading() as session:
        asked = (await session.execute(select(Job.payload).where(Job.name == "delete_file_bytes"))).scalars().all()
    assert {"file_id": row["id"]} not in [dict(each) for each in asked]
