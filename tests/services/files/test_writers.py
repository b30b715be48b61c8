"""Writers that have lost their lease, paused or with a chunk on its way: they spoil nothing of who came after them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from services.catalogue import ANONYMOUS
from services.engine.gateway import Gateway
from services.files import store as stores
from services.files import uploads
from services.files.models import File
from services.files.store import FileStore, Place
from services.storage.base import utc_now
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.uploads import announced, fetch

GOOD = b"g" * 250
LATE = b"l" * 250
OTHER = {"Content-Range": "bytes 100-249/250"}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CHUNK", 100)
    monkeypatch.setattr(uploads, "CHUNK", 100)


def key_of(id: str) -> UUID:
    return UUID(id.removeprefix("fil_"))


async def lose_lease(gateway: Gateway, id: str) -> None:
    """As if the writer had stood still for too long."""
    async with gateway.unit_of_work(ANONYMOUS) as call:
        past = utc_now() - timedelta(seconds=1)
        await call.session.execute(update(File).where(File.id == key_of(id)).values(leased_until=past))


async def place_of(gateway: Gateway, id: str) -> Place:
    async with gateway.database.reading() as session:
        attempt = (await session.execute(select(File.attempt).where(File.id == key_of(id)))).scalar_one()
    return Place(key_of(id), attempt)


async def names(gateway: Gateway, id: str) -> list[str]:
    found = [x["path"] async for batch in gateway.part(FileStore).store.list(key_of(id).hex) for x in batch]
    return sorted(each.partition("/")[2] for each in found)


class Paused:
    """A body that stops after its first bytes until it is told to go on."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self.first, self.rest = first, rest
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def body(self) -> AsyncIterator[bytes]:
        yield self.first
        self.begun.set()
        await self.go_on.wait()
        yield self.rest

    def sent(self, client: httpx.AsyncClient, url: str, **headers: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(client.put(url, content=self.body(), headers=headers))


async def is_good(rest: RestFace, ada: Account, id: str) -> bool:
    await rest.ok("complete_file", ada, id=id)
    got = await fetch(rest, ada, id)
    return got.content == GOOD and got.headers["etag"] == f'"{sha256(GOOD).hexdigest()}"'


@pytest.mark.parametrize("ended", [False, True])
async def test_a_writer_that_goes_on_too_late_spoils_nothing_of_who_began_anew(
    rest: RestFace, gateway: Gateway, ada: Account, ended: bool
) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    paused = Paused(LATE[:150], LATE[150:])
    late = paused.sent(rest.client, made["upload_url"])
    await paused.begun.wait()
    await lose_lease(gateway, made["id"])
    assert (await rest.client.put(made["upload_url"], content=GOOD)).status_code == 204
    if ended:
        await rest.ok("complete_file", ada, id=made["id"])
    paused.go_on.set()
    answer = await late
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await is_good(rest, ada, made["id"])
    assert {"2/000000", "2/000001", "2/000002"} <= set(await names(gateway, made["id"]))


async def test_a_writer_that_goes_on_too_late_spoils_nothing_of_who_went_on(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    paused = Paused(GOOD[:100], LATE[100:])
    late = paused.sent(rest.client, made["upload_url"])
    await paused.begun.wait()
    await lose_lease(gateway, made["id"])
    assert (await rest.client.put(made["upload_url"], content=GOOD[100:], headers=OTHER)).status_code == 204
    paused.go_on.set()
    answer = await late
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await is_good(rest, ada, made["id"])


async def test_a_chunk_on_its_way_lands_nowhere_after_the_file_was_checked(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    assert (await rest.client.put(made["upload_url"], content=GOOD)).status_code == 204
    store, place = gateway.part(FileStore), await place_of(gateway, made["id"])
    for number in range(3):
        assert not await store.put(place.chunk(number), LATE[:100])
    assert await store.put(place.chunk(0), GOOD[:100])  # the store has asked once more itself
    assert await is_good(rest, ada, made["id"])


@pytest.mark.parametrize("late", ["000001", "000001.50"])
async def test_a_chunk_that_landed_before_is_no_part_of_what_follows(
    rest: RestFace, gateway: Gateway, ada: Account, late: str
) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    first = {"Content-Range": "bytes 0-99/250"}
    assert (await rest.client.put(made["upload_url"], content=GOOD[:100], headers=first)).status_code == 204
    place = await place_of(gateway, made["id"])
    assert await gateway.part(FileStore).put(f"{place.key.hex}/{place.attempt}/{late}", LATE[: 100 if late[6:] else 50])
    end = 149 if late[6:] else 249
    some = {"Content-Range": f"bytes 100-{end}/250"}
    answer = await rest.client.put(made["upload_url"], content=GOOD[100 : end + 1], headers=some)
    assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "conflict", 0)
    assert (await rest.client.head(made["upload_url"])).headers["upload-offset"] == "0"
    assert await names(gateway, made["id"]) == []
    assert (await rest.client.put(made["upload_url"], content=GOOD)).status_code == 204
    assert await is_good(rest, ada, made["id"])


async def test_what_is_kept_of_a_chunk_is_beside_the_chunks_until_it_is_whole(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    for start, end, there in (
        (0, 130, ["1/000000", "1/000001.30"]), (130, 150, ["1/000000", "1/000001.50"]),
        (150, 200, ["1/000000", "1/000001"]), (200, 250, ["1/000000", "1/000001", "1/000002"]),
    ):  # fmt: skip
        part = {"Content-Range": f"bytes {start}-{end - 1}/250"}
        sent = await rest.client.put(made["upload_url"], content=GOOD[start:end], headers=part)
        assert sent.status_code == 204
        assert await names(gateway, made["id"]) == there
    assert await is_good(rest, ada, made["id"])


async def test_who_begins_anew_throws_away_what_came_before(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(GOOD))
    first = {"Content-Range": "bytes 0-129/250"}
    assert (await rest.client.put(made["upload_url"], content=LATE[:130], headers=first)).status_code == 204
    assert (await rest.client.put(made["upload_url"], content=GOOD)).status_code == 204
    assert await names(gateway, made["id"]) == ["2/000000", "2/000001", "2/000002"]
    assert await is_good(rest, ada, made["id"])
