"""Files on S3, as a server of its own speaks it. Skipped where that is missing (`make s3-tools`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Problem, new_key
from services.catalogue.jobs import JobKind, Work
from services.engine.gateway import Gateway
from services.files import jobs, uploads
from services.files import store as stores
from services.files.jobs import GoneFile, delete_file_bytes, sweep_files
from services.files.store import FileStore, MissingBytesError, Place
from services.storage.base import utc_now
from tests.conftest import make_settings
from tests.support.accounts import sign_up
from tests.support.apps import Running, running
from tests.support.faces import RestFace
from tests.support.s3 import BUCKET, OPTIONS, has_s3, s3_server
from tests.support.uploads import announced, fetch

pytestmark = pytest.mark.skipif(not has_s3(), reason="there is no server of S3: make s3-tools")

TEXT = bytes(range(32, 127)) * 3


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (stores, uploads, jobs):
        monkeypatch.setattr(each, "CHUNK", 100)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "log") as url:
        yield url


@pytest.fixture(scope="module")
async def on_s3(s3: str, settings: Settings) -> AsyncIterator[Running]:
    """A gateway whose files are in a bucket, below a prefix."""
    own = make_settings(
        DATABASE_URL=settings.database_url, REDIS_URL=settings.redis_url,
        FILES_URL=f"s3://{BUCKET}/gateway", FILES_STORE={**OPTIONS, "endpoint": s3},
    )  # fmt: skip
    async with running(own) as found:
        yield found


def options(s3: str) -> dict[str, SecretStr]:
    """What the store is told."""
    return {name: SecretStr(value) for name, value in {**OPTIONS, "endpoint": s3}.items()}


async def names(store: FileStore) -> list[str]:
    return sorted([each["path"] async for batch in store.store.list() for each in batch])


async def run(gateway: Gateway, kind: JobKind, data: Any = None, *, later: timedelta = timedelta(0)) -> None:
    """One try of a job."""
    work = Work(new_key(), 1, utc_now() + later, gateway.parts, lambda: gateway.unit_of_work(ANONYMOUS))
    await kind.call(work, data)


@pytest.mark.parametrize("prefix", ["", "/one", "/one/two/"])
async def test_a_store_keeps_reads_lists_and_deletes(s3: str, prefix: str) -> None:
    store = FileStore(f"s3://{BUCKET}{prefix}", options(s3))
    place, other = Place(new_key(), 0), Place(new_key(), 0)
    for number in range(3):
        assert await store.put(place.chunk(number), TEXT[number * 100 : number * 100 + 100])
    assert await store.put(place.chunk(0), TEXT[:100])
    assert not await store.put(place.chunk(0), b"other")
    assert await store.put(other.chunk(0), b"x")
    for start, end in ((0, 285), (0, 1), (99, 101), (100, 200), (150, 285), (285, 285)):
        assert b"".join([part async for part in store.read(place, start, end)]) == TEXT[start:end]
    with pytest.raises(MissingBytesError):
        _ = [part async for part in store.read(Place(new_key(), 0), 0, 1)]
    old = [found async for found in store.old(utc_now() + timedelta(minutes=1))]
    assert {each.key for found in old for each in found} >= {place.key, other.key}
    assert not any([found async for found in store.old(utc_now() - timedelta(minutes=1))])
    for _ in range(2):
        await store.delete(place.key)
        left = [each for each in await names(store) if place.key.hex in each or other.key.hex in each]
        assert left == [other.chunk(0)]
    await store.delete(other.key)


async def test_the_keys_of_the_store_are_not_shown() -> None:
    assert "a secret" not in repr(FileStore("s3://bucket", options("https://localhost")))


async def test_without_tls_nothing_is_sent_unless_that_is_allowed(s3: str) -> None:
    store = FileStore(f"s3://{BUCKET}", {**options(s3), "allow_http": SecretStr("false")})
    with pytest.raises(Problem):
        await store.put(Place(new_key(), 0).chunk(0), b"x")


async def test_a_file_goes_in_by_parts_and_out_by_ranges(on_s3: Running) -> None:
    rest, store = RestFace(on_s3.client, on_s3.gateway.catalogue), on_s3.gateway.part(FileStore)
    ada = await sign_up(on_s3.client)
    made = await rest.ok("create_file", ada, announced(TEXT, name="t.txt", media_type="text/plain"))
    url, size = made["upload_url"], len(TEXT)
    for start, end in ((0, 130), (130, 200), (200, size)):
        assert (await rest.client.head(url)).headers["upload-offset"] == str(start)
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        assert (await rest.client.put(url, content=TEXT[start:end], headers=part)).status_code == 204
    row = await rest.ok("complete_file", ada, id=made["id"])
    assert (row["state"], row["sha256"]) == ("complete", sha256(TEXT).hexdigest())
    key = UUID(row["id"].removeprefix("fil_"))
    kept = {each.partition("/")[2].rpartition("/")[2] for each in await names(store) if key.hex in each}
    assert kept >= {f"{each:06}" for each in range(3)}
    assert (await fetch(rest, ada, row["id"])).content == TEXT
    got = await fetch(rest, ada, row["id"], Range="bytes=90-209")
    assert (got.status_code, got.content) == (206, TEXT[90:210])
    await rest.ok("delete_file", ada, id=row["id"])
    await run(on_s3.gateway, delete_file_bytes, GoneFile.model_construct(file_id=key))
    assert [each for each in await names(store) if key.hex in each] == []


async def test_what_is_refused_leaves_nothing_in_the_bucket(on_s3: Running) -> None:
    rest, store = RestFace(on_s3.client, on_s3.gateway.catalogue), on_s3.gateway.part(FileStore)
    ada = await sign_up(on_s3.client)
    made = await rest.ok("create_file", ada, announced(TEXT, sha256="0" * 64))
    answer = await rest.client.put(made["upload_url"], content=TEXT)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [each for each in await names(store) if made["id"].removeprefix("fil_") in each] == []


async def test_old_bytes_without_a_row_are_swept(on_s3: Running) -> None:
    rest, store = RestFace(on_s3.client, on_s3.gateway.catalogue), on_s3.gateway.part(FileStore)
    ada = await sign_up(on_s3.client)
    sent = await rest.client.post("/api/v1/files", headers=ada.headers, files={"file": ("t.bin", TEXT)})
    assert sent.status_code == 201, sent.text
    kept, orphan = UUID(sent.json()["id"].removeprefix("fil_")), new_key()
    lost = Place(orphan, 0).chunk(0)
    await store.put(lost, b"x")
    await run(on_s3.gateway, sweep_files)
    assert lost in await names(store)
    await run(on_s3.gateway, sweep_files, later=timedelta(days=2))
    assert [each for each in await names(store) if orphan.hex in each] == []
    assert (await fetch(rest, ada, sent.json()["id"])).content == TEXT
    assert any(kept.hex in each for each in await names(store))
