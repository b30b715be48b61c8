"""Files outlive the process that takes them in or deletes them, and is really killed (SIGKILL)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from gateway.settings import Settings
from services.catalogue import ANONYMOUS, new_key
from services.catalogue.jobs import Work
from services.engine.gateway import Gateway
from services.files.jobs import GoneFile, delete_file_bytes
from services.files.models import File
from services.files.store import CHUNK, FileStore
from services.jobs.models import Job
from services.storage.base import utc_now
from tests.support.accounts import Account, sign_up
from tests.support.faces import RestFace
from tests.support.programs import started
from tests.support.server import environment, free_port
from tests.support.uploads import PNG, announced, make_file

pytestmark = pytest.mark.proof

TEXT = b"brass wheel " * (CHUNK // 8)
SIZE = len(TEXT)
CUT = CHUNK + 1_000_000


@pytest.fixture(scope="module")
async def mortal(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that dies when it is told to, and whose files are those of `gateway`."""
    port, log = free_port(), Path(tmp_path_factory.mktemp("mortal")) / "log"
    url = f"http://127.0.0.1:{port}"
    values = {name: value for name, value in environment(settings).items() if name in Settings.model_fields}
    with started("python", "-m", "tests.support.mortal", str(port), env=values, log=log, ready=f"{url}/health/ready"):
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
            yield client


@pytest.fixture
async def caller(mortal: httpx.AsyncClient) -> Account:
    return await sign_up(mortal)


def key_of(id: str) -> UUID:
    return UUID(id.removeprefix("fil_"))


async def came(gateway: Gateway, id: str, least: int) -> None:
    """Wait until so many bytes of a file are in the store."""
    async with asyncio.timeout(30):
        while True:
            async with gateway.database.reading() as session:
                if (await session.execute(select(File.received).where(File.id == key_of(id)))).scalar_one() >= least:
                    return
            await asyncio.sleep(0.01)


async def test_an_upload_goes_on_after_its_process_was_killed(
    mortal: httpx.AsyncClient, gateway: Gateway, caller: Account
) -> None:
    rest = RestFace(mortal, gateway.catalogue)
    made = await rest.ok("create_file", caller, announced(TEXT, media_type="text/plain"))

    async def half() -> AsyncIterator[bytes]:
        yield TEXT[:CUT]
        await came(gateway, made["id"], CHUNK)
        with pytest.raises(httpx.TransportError):
            await mortal.get("/health/live", headers={"X-Die": "answer"})
        yield TEXT[CUT:]

    with pytest.raises(httpx.TransportError):
        await mortal.put(made["upload_url"], content=half(), headers={"Content-Length": str(SIZE)})
    assert (await mortal.head(made["upload_url"])).headers["upload-offset"] == str(CHUNK)
    rest_of = {"Content-Range": f"bytes {CHUNK}-{SIZE - 1}/{SIZE}"}
    held = await mortal.put(made["upload_url"], content=TEXT[CHUNK:], headers=rest_of)
    assert (held.status_code, held.json()["code"]) == (409, "conflict")  # the lease of the dead
    async with gateway.unit_of_work(ANONYMOUS) as call:
        await call.session.execute(update(File).where(File.id == key_of(made["id"])).values(leased_until=utc_now()))
    sent = await mortal.put(made["upload_url"], content=TEXT[CHUNK:], headers=rest_of)
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(SIZE)), sent.text
    await rest.ok("complete_file", caller, id=made["id"])
    got = await mortal.get(f"/api/v1/files/{made['id']}/content", headers=caller.headers)
    assert got.content == TEXT


async def test_bytes_of_a_file_go_although_the_process_was_killed_after_the_commit(
    mortal: httpx.AsyncClient, gateway: Gateway, caller: Account
) -> None:
    rest = RestFace(mortal, gateway.catalogue)
    row = await make_file(rest, caller)
    root = gateway.part(FileStore).root
    assert root is not None
    folder = root / key_of(row["id"]).hex
    with pytest.raises(httpx.TransportError):
        await mortal.delete(f"/api/v1/files/{row['id']}", headers={**caller.headers, "X-Die": "commit"})
    assert [each.read_bytes() for each in folder.glob("*/*")] == [PNG]
    assert (await rest.call("get_file", caller, id=row["id"])).problem == "not_found"
    async with gateway.database.reading() as session:
        asked = (await session.execute(select(Job.payload).where(Job.name == "delete_file_bytes"))).scalars().all()
    assert {"file_id": row["id"]} in [dict(each) for each in asked]
    work = Work(new_key(), 1, utc_now(), gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
    await delete_file_bytes.call(work, GoneFile.model_construct(file_id=key_of(row["id"])))
    assert not folder.exists()


async def test_a_form_whose_process_was_killed_leaves_a_pending_file_that_cannot_be_read(
    mortal: httpx.AsyncClient, gateway: Gateway, caller: Account
) -> None:
    rest = RestFace(mortal, gateway.catalogue)
    with pytest.raises(httpx.TransportError):
        await mortal.post("/api/v1/files", headers={**caller.headers, "X-Die": "commit"}, files={"file": ("a", PNG)})
    [row] = (await rest.ok("list_files", caller, filter={"user_id": caller.id}))["data"]
    assert row["state"] == "pending"
    got = await mortal.get(f"/api/v1/files/{row['id']}/content", headers=caller.headers)
    assert (got.status_code, got.json()["code"]) == (409, "conflict")
    await rest.ok("delete_file", caller, id=row["id"])
