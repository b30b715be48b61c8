"""What uploads may hold of a process, what they may wait for, and what becomes of them when it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import obstore
import pytest
from structlog.testing import capture_logs

from gateway.asgi import bodies
from gateway.settings import Settings
from services.catalogue import ANONYMOUS
from services.engine.gateway import Gateway
from services.files import store as stores
from services.files import uploads
from services.files.config import FilesConfig
from services.files.models import File
from services.files.slots import UploadSlots
from services.files.store import CHUNK, FileStore, Place
from services.files.uploads import UploadRange
from tests.support.accounts import Account, sign_up
from tests.support.faces import RestFace
from tests.support.server import live_gateway
from tests.support.uploads import PNG, announced, pieces


async def held(rest: RestFace, actor: Account, go_on: asyncio.Event) -> tuple[str, asyncio.Task[httpx.Response]]:
    """An upload that waits after its first bytes: its address, and what it will be answered."""
    made = await rest.ok("create_file", actor, announced(bytes(1000)))
    begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(500)
        begun.set()
        await go_on.wait()
        yield bytes(500)

    task = asyncio.create_task(rest.client.put(made["upload_url"], content=slow()))
    await begun.wait()
    return made["upload_url"], task


def part(start: int, end: int) -> dict[str, str]:
    """The header of a request that sends a part of a thousand bytes."""
    return {"Content-Range": f"bytes {start}-{end - 1}/1000"}


async def offset(rest: RestFace, url: str) -> str:
    return (await rest.client.head(url)).headers["upload-offset"]


async def test_uploads_of_a_process_and_of_one_user_are_limited(
    rest: RestFace, gateway: Gateway, ada: Account, eve: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    slots, go_on = UploadSlots(5), asyncio.Event()  # so that one user has a place
    monkeypatch.setitem(parts, UploadSlots, slots)
    _, first = await held(rest, ada, go_on)
    url = (await rest.ok("create_file", ada, announced(PNG)))["upload_url"]
    refused = await rest.client.put(url, content=PNG)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    others = [await sign_up(rest.client) for _ in range(4)]
    running = [first, *[(await held(rest, other, go_on))[1] for other in others]]
    free = (await rest.ok("create_file", eve, announced(PNG)))["upload_url"]
    refused = await rest.client.put(free, content=PNG)
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "5")
    go_on.set()
    assert [(await each).status_code for each in running] == [204] * 5
    for again in (url, free):
        assert (await rest.client.put(again, content=PNG)).status_code == 204
    assert not slots._running


async def test_what_waits_for_another_upload_is_told_how_long(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    go_on = asyncio.Event()
    url, first = await held(rest, ada, go_on)
    answer = await rest.client.put(url, content=bytes(1000))
    idle = gateway.part(FilesConfig).idle_seconds
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert 0 < int(answer.headers["retry-after"]) <= uploads.lease_of(idle).total_seconds()
    go_on.set()
    assert (await first).status_code == 204


async def test_an_upload_that_comes_drop_by_drop_is_stalled(
    rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), idle_seconds=0.2))
    monkeypatch.setattr(bodies, "LINGER_LONGER", 0.0)
    made, sent = await rest.ok("create_file", ada, announced(bytes(1000))), 0

    async def drops() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"\0"
            await asyncio.sleep(0.01)

    answer = await rest.client.put(made["upload_url"], content=drops())
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_stalled")
    assert 0 < int(await offset(rest, made["upload_url"])) <= sent < 1000


async def test_a_byte_too_many_costs_only_what_came_with_it(rest: RestFace, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(bytes(1000)))
    url, first, more = made["upload_url"], part(0, 500), part(500, 600)
    assert (await rest.client.put(url, content=bytes(500), headers=first)).status_code == 204
    answer = await rest.client.put(url, content=pieces([bytes(101)]), headers=more)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "size")
    assert await offset(rest, url) == "500"
    assert (await rest.client.put(url, content=bytes(500), headers=part(500, 1000))).status_code == 204


async def never(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


async def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["get_async", "put_async"])
async def test_a_store_that_does_not_answer_is_not_waited_for(
    rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = await rest.ok("create_file", ada, announced(bytes(1000)))
    url, first, last = made["upload_url"], part(0, 500), part(500, 1000)
    assert (await rest.client.put(url, content=bytes(500), headers=first)).status_code == 204
    with monkeypatch.context() as broken:
        broken.setattr(obstore, name, never)
        broken.setattr(stores, "STORE_SECONDS", 0.05)
        answer = await rest.client.put(url, content=bytes(500), headers=last)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert await offset(rest, url) == "500"
    assert (await rest.client.put(url, content=bytes(500), headers=last)).status_code == 204


async def test_why_the_store_does_not_answer_is_in_the_log_and_nowhere_else(
    rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rest.ok("create_file", ada, announced(PNG))
    monkeypatch.setattr(obstore, "put_async", full)
    with capture_logs() as logs:
        answer = await rest.client.put(made["upload_url"], content=PNG)
    assert (answer.status_code, "space" in answer.text) == (503, False)
    assert [each["fault"] for each in logs if each["log_level"] == "warning"] == ["ENOSPC"]


async def test_why_a_file_is_refused_is_told_although_its_bytes_cannot_be_deleted(
    rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await rest.ok("create_file", ada, announced(PNG, sha256="0" * 64))
    monkeypatch.setattr(obstore, "delete_async", full)
    answer = await rest.client.put(made["upload_url"], content=PNG)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sha256")
    assert await offset(rest, made["upload_url"]) == "0"


async def test_bytes_that_are_deleted_while_they_are_compared_are_not_there(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, name = gateway.part(FileStore), Place(UUID(int=7), 1).chunk(0)
    assert await store.put(name, b"brass")
    with monkeypatch.context() as between:
        between.setattr(obstore, "get_async", gone)
        assert await store.put(name, b"brass") is False
    await store.remove([name])


async def gone(*_: Any, **__: Any) -> Any:
    raise FileNotFoundError


async def test_what_came_before_the_process_gave_up_is_kept(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(bytes(1000)))
    key, begun = UUID(made["id"].removeprefix("fil_")), asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield bytes(600)
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(uploads.received(gateway, key, UploadRange(), half()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await offset(rest, made["upload_url"]) == "600"


@pytest.mark.proof
async def test_an_upload_ends_when_its_server_stops_and_loses_nothing(settings: Settings, gateway: Gateway) -> None:
    with live_gateway(settings) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            ada = await sign_up(client)
            made = await RestFace(client, gateway.catalogue).ok("create_file", ada, {"name": "a", "size": 3 * CHUNK})
        told, sent = await asyncio.to_thread(flooded, server.url, made["upload_url"], server.process)
        server.process.wait(20)
    assert b" 503 " in told.partition(b"\r\n")[0]
    async with gateway.unit_of_work(ANONYMOUS) as call:
        row = await call.session.get(File, UUID(made["id"].removeprefix("fil_")))
        assert row is not None
        assert (row.lease, CHUNK < row.received <= sent) == (None, True)


def flooded(url: str, path: str, process: Any) -> tuple[bytes, int]:
    """What a sender is answered whose server is told to stop in the midst, and how much it had sent."""
    where = httpx.URL(url)
    with socket.create_connection((where.host, where.port or 80)) as sender:
        sender.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {3 * CHUNK}\r\n\r\n".encode())
        sender.sendall(bytes(CHUNK + 1_000_000))
        process.send_signal(signal.SIGTERM)
        sent = CHUNK + 1_000_000
        sender.settimeout(0.1)
        while sent < 3 * CHUNK:
            sent += sender.send(bytes(10_000))
            try:
                return sender.recv(65_536), sent
            except TimeoutError:
                continue
    return b"", sent
