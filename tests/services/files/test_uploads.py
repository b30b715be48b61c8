"""Bytes on their way in and out: bad ones leave nothing, interrupted ones go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.engine.gateway import Gateway
from services.files import store as stores
from services.files import uploads
from services.files.config import FilesConfig
from services.files.store import FileStore, Place
from services.files.uploads import InterruptedUploadError, UploadRange
from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.uploads import PNG, announced, fetch, make_file, pieces

TEXT = bytes(range(32, 127)) * 3
HEAD = b"--b\r\nContent-Disposition: form-data; "
END = b"\r\n--b--\r\n"


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CHUNK", 100)
    monkeypatch.setattr(uploads, "CHUNK", 100)


async def names(gateway: Gateway, id: str) -> list[str]:
    found = [x["path"] async for batch in gateway.part(FileStore).store.list(id.removeprefix("fil_")) for x in batch]
    return sorted(each.rpartition("/")[2] for each in found)


async def offset(rest: RestFace, url: str) -> int:
    answer = await rest.client.head(url)
    assert answer.status_code == 204
    return int(answer.headers["upload-offset"])


@pytest.mark.parametrize(
    ("content", "fields", "errors"),
    [
        (TEXT, {"sha256": "0" * 64}, {"sha256": "conflict"}),
        (TEXT[:-1], {"size": len(TEXT)}, {"size": "range"}),
        (TEXT + b"x", {"size": len(TEXT)}, {"size": "range"}),
        (PNG, {"media_type": "image/jpeg"}, {"media_type": "conflict"}),
        (PNG, {"media_type": "text/plain"}, {"media_type": "conflict"}),
        (b"<html><script>1</script>", {"media_type": "image/png"}, {"media_type": "conflict"}),
        (b"\xef\xbb\xbf <!DOCTYPE html>", {"media_type": "application/zip"}, {"media_type": "conflict"}),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"media_type": "image/gif"}, {"media_type": "conflict"}),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
async def test_bytes_that_are_not_what_was_announced_are_refused(
    rest: RestFace, gateway: Gateway, ada: Account, content: bytes, fields: Any, errors: dict[str, str], declared: bool
) -> None:
    made = await rest.ok("create_file", ada, announced(content, **fields))
    answer = await rest.client.put(made["upload_url"], content=content if declared else pieces([content]))
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert {each["field"]: each["code"] for each in answer.json()["errors"]} == errors
    assert (await rest.call("complete_file", ada, id=made["id"])).problem == "conflict"
    if "size" not in errors:
        assert await names(gateway, made["id"]) == []
        assert await offset(rest, made["upload_url"]) == 0


async def test_an_upload_goes_on_where_it_was_interrupted(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(TEXT, media_type="text/plain"))
    url, size = made["upload_url"], len(TEXT)
    for start, end in ((0, 30), (30, 130), (130, 200), (200, 201)):
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        sent = await rest.client.put(url, content=TEXT[start:end], headers=part)
        assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(end)), sent.text
        assert await offset(rest, url) == end
    wrong = await rest.client.put(url, content=TEXT[50:], headers={"Content-Range": f"bytes 50-{size - 1}/{size}"})
    assert (wrong.status_code, wrong.json()["offset"], wrong.headers["upload-offset"]) == (416, 201, "201")
    last = await rest.client.put(url, content=TEXT[201:], headers={"Content-Range": f"bytes 201-{size - 1}/{size}"})
    assert last.status_code == 204
    await rest.ok("complete_file", ada, id=made["id"])
    assert (await fetch(rest, ada, made["id"])).content == TEXT
    assert await names(gateway, made["id"]) == ["000000", "000001", "000002"]
    again = await rest.client.put(url, content=TEXT)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_what_came_before_the_caller_left_is_kept(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(TEXT))
    key = UUID(made["id"].removeprefix("fil_"))

    async def cut() -> AsyncIterator[bytes]:
        yield TEXT[:150]
        raise InterruptedUploadError

    with pytest.raises(InterruptedUploadError):
        await uploads.received(gateway, key, UploadRange(), cut())
    assert await offset(rest, made["upload_url"]) == 150
    size = len(TEXT)
    rest_of = {"Content-Range": f"bytes 150-{size - 1}/{size}"}
    assert (await rest.client.put(made["upload_url"], content=TEXT[150:], headers=rest_of)).status_code == 204
    await rest.ok("complete_file", ada, id=made["id"])
    assert (await fetch(rest, ada, made["id"])).content == TEXT


async def test_a_stalled_upload_is_given_up_and_can_go_on(
    rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), idle_seconds=0.05))
    made = await rest.ok("create_file", ada, announced(TEXT))

    async def stalled() -> AsyncIterator[bytes]:
        yield TEXT[:120]
        await asyncio.Event().wait()

    answer = await rest.client.put(made["upload_url"], content=stalled())
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_stalled")
    assert await offset(rest, made["upload_url"]) == 120


async def test_a_stalled_form_leaves_nothing(
    rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Any = gateway.parts
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), idle_seconds=0.05))
    file = HEAD + b'name="file"; filename="a"\r\n\r\nabc'
    for begun in (HEAD, HEAD + b'name="size"\r\n\r\n9\r\n' + file):

        async def stalled(begun: bytes = begun) -> AsyncIterator[bytes]:
            yield begun
            await asyncio.Event().wait()

        own = {**ada.headers, "Content-Type": "multipart/form-data; boundary=b"}
        answer = await rest.client.post("/api/v1/files", content=stalled(), headers=own)
        assert (answer.status_code, answer.json()["code"]) == (408, "upload_stalled")
        assert (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []


async def test_one_upload_at_a_time(rest: RestFace, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(TEXT))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield TEXT[:150]
        begun.set()
        await go_on.wait()
        yield TEXT[150:]

    first = asyncio.create_task(rest.client.put(made["upload_url"], content=slow()))
    await begun.wait()
    second = await rest.client.put(made["upload_url"], content=TEXT)
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    go_on.set()
    assert (await first).status_code == 204


async def test_a_lease_ends_with_its_process(
    rest: RestFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed releases nothing, and its last chunk may be in the store without the row knowing."""
    made = await rest.ok("create_file", ada, announced(TEXT))
    key = UUID(made["id"].removeprefix("fil_"))

    async def killed(*_: Any) -> None:
        return None

    monkeypatch.setattr(uploads, "_release", killed)
    monkeypatch.setattr(uploads, "lease_of", lambda _: timedelta(seconds=-90))

    async def cut() -> AsyncIterator[bytes]:
        yield TEXT[:150]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await uploads.received(gateway, key, UploadRange(), cut())
    monkeypatch.undo()
    monkeypatch.setattr(stores, "CHUNK", 100)
    monkeypatch.setattr(uploads, "CHUNK", 100)
    assert await gateway.part(FileStore).put(Place(key, 1).chunk(1), TEXT[100:200])
    assert await offset(rest, made["upload_url"]) == 100
    size = len(TEXT)
    sent = await rest.client.put(
        made["upload_url"], content=TEXT[100:], headers={"Content-Range": f"bytes 100-{size - 1}/{size}"}
    )
    assert sent.status_code == 204, sent.text
    await rest.ok("complete_file", ada, id=made["id"])
    assert (await fetch(rest, ada, made["id"])).content == TEXT


async def test_a_file_deleted_meanwhile_takes_no_bytes(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    made = await rest.ok("create_file", ada, announced(TEXT))

    async def slow() -> AsyncIterator[bytes]:
        yield TEXT[:50]
        await rest.ok("delete_file", ada, id=made["id"])
        yield TEXT[50:]

    answer = await rest.client.put(made["upload_url"], content=slow())
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10), ("bytes=90-209", 206, 90, 210), ("bytes=280-", 206, 280, 285),
        ("bytes=-5", 206, 280, 285), ("bytes=0-9999", 206, 0, 285), ("bytes=9-0", 200, 0, 285),
        ("bytes=0-1,5-6", 200, 0, 285), ("lines=0-1", 200, 0, 285),
    ],
)  # fmt: skip
async def test_ranges(rest: RestFace, ada: Account, asked: str, status: int, start: int, end: int) -> None:
    row = await make_file(rest, ada, TEXT, media_type="text/plain", name="t.txt")
    got = await fetch(rest, ada, row["id"], Range=asked)
    assert (got.status_code, got.content) == (status, TEXT[start:end])
    assert got.headers.get("content-range") == (f"bytes {start}-{end - 1}/285" if status == 206 else None)


async def test_ranges_beyond_the_end_and_conditions(rest: RestFace, ada: Account) -> None:
    row = await make_file(rest, ada, TEXT, media_type="text/plain", name="t.txt")
    beyond = await fetch(rest, ada, row["id"], Range="bytes=285-")
    assert (beyond.status_code, beyond.json()["code"], beyond.headers["content-range"]) == (
        416, "range_not_satisfiable", "bytes */285",
    )  # fmt: skip
    tag = f'"{row["sha256"]}"'
    assert (await fetch(rest, ada, row["id"], If_None_Match=tag)).status_code == 304
    assert (await fetch(rest, ada, row["id"], If_Match='"other"')).json()["code"] == "precondition_failed"
    assert (await fetch(rest, ada, row["id"], Range="bytes=0-1", If_Range='"other"')).status_code == 200
    assert (await fetch(rest, ada, row["id"], Range="bytes=0-1", If_Range=tag)).status_code == 206


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"<html></html>", "text/html"), (b"<svg xmlns='x'></svg>", "image/svg+xml"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"alert(1)", "text/javascript"), (b"anything", "application/octet-stream"),
    ],
)  # fmt: skip
async def test_active_types_are_saved_not_shown(rest: RestFace, ada: Account, content: bytes, media_type: str) -> None:
    row = await make_file(rest, ada, content, media_type=media_type, name='a"b;c\u00e9.x')
    got = await fetch(rest, ada, row["id"])
    assert got.headers["content-disposition"] == "attachment; filename=\"a_b_c_.x\"; filename*=UTF-8''a%22b%3Bc%C3%A9.x"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"


async def test_one_step(rest: RestFace, gateway: Gateway, ada: Account) -> None:
    sent = await rest.client.post(
        "/api/v1/files", headers=ada.headers, files={"file": ("engine.png", PNG, "image/png")}
    )
    assert sent.status_code == 201, sent.text
    row = sent.json()
    assert (row["name"], row["size"], row["state"], row["media_type"]) == (
        "engine.png",
        len(PNG),
        "complete",
        "image/png",
    )
    assert sent.headers["location"] == f"/api/v1/files/{row['id']}"
    assert (await fetch(rest, ada, row["id"])).content == PNG


WRONG = HEAD + b'name="sha256"\r\n\r\n' + b"0" * 64 + b"\r\n" + HEAD + b'name="file"; filename="a"\r\n\r\nabc' + END
BEHIND = HEAD + b'name="file"; filename="a"\r\n\r\nabc\r\n' + HEAD + b'name="name"\r\n\r\nx' + END


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (HEAD + b'name="file"; filename="a"\r\n\r\nabc', "bad_request"),
        (HEAD + b'name="file"; filename="../a"\r\n\r\nabc' + END, "validation_failed"),
        (HEAD + b'name="nonsense"\r\n\r\nabc' + END, "validation_failed"),
        (WRONG, "validation_failed"), (BEHIND, "bad_request"), (b"no form", "bad_request"), (b"", "bad_request"),
        (b"--b--\r\n", "validation_failed"),
    ],
)  # fmt: skip
async def test_bad_forms_leave_nothing(rest: RestFace, ada: Account, body: bytes, code: str) -> None:
    answer = await rest.send("POST", "/files", ada, content=body, media_type="multipart/form-data; boundary=b")
    assert answer.json()["code"] == code, answer.text
    assert (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []
