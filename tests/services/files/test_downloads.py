"""Bytes on their way out: counted for as long as they last, given up when nobody reads, and never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from rest.files.downloads import ABORT, PIECE
from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from services.process.concurrency import Concurrency
from tests.support.accounts import Account
from tests.support.asgi import observed
from tests.support.faces import RestFace
from tests.support.factories import make_key
from tests.support.uploads import PNG, announced, fetch, make_file

MOST = 2
LONG = bytes(3 * PIECE + 1)
PATIENCE = 30


class Reader:
    """Somebody who fetches bytes, and takes so many pieces before they stop."""

    def __init__(self, app: Any, path: str, actor: Account, takes: float = 0) -> None:
        self._app, self._takes = app, takes
        self.scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"gateway.test"), (b"authorization", actor.headers["Authorization"].encode())],
            "client": ("192.0.2.1", 50_000), "server": ("gateway.test", 80),
        }  # fmt: skip
        self.got: list[Any] = []
        self.stopped, self.gone = asyncio.Event(), asyncio.Event()

    async def fetch(self) -> None:
        await self._app(self.scope, self._receive, self._send)

    async def _receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and len(self.got) > self._takes:
            self.stopped.set()
            await asyncio.Event().wait()
        self.got.append(message)


@pytest.fixture
def counted(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Any:
    """How many requests are going on; MOST may."""
    concurrency, parts = Concurrency(MOST), _parts(gateway)
    monkeypatch.setitem(parts, Concurrency, concurrency)
    return concurrency.running


@pytest.fixture
def hasty(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for."""
    parts = _parts(gateway)
    monkeypatch.setitem(parts, FilesConfig, replace(gateway.part(FilesConfig), idle_seconds=0.01))


def _parts(gateway: Gateway) -> Any:
    return gateway.parts


async def long_file(rest: RestFace, actor: Account) -> str:
    row = await make_file(rest, actor, LONG, media_type="application/octet-stream")
    return f"/api/v1/files/{row['id']}/content"


@asynccontextmanager
async def stopped(*readers: Reader) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Readers who have stopped in the middle."""
    tasks = [asyncio.create_task(each.fetch()) for each in readers]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(each.stopped.wait() for each in readers))
        yield tasks
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ended(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await task


def leave(reader: Reader, task: asyncio.Task[None]) -> None:
    reader.gone.set()


def end(reader: Reader, task: asyncio.Task[None]) -> None:
    task.cancel()


@pytest.mark.parametrize("stop", [leave, end])
async def test_downloads_count_for_as_long_as_they_last(
    app: Any, rest: RestFace, ada: Account, counted: Any, stop: Callable[[Reader, asyncio.Task[None]], None]
) -> None:
    path = await long_file(rest, ada)
    readers = [Reader(app, path, ada) for _ in range(MOST)]
    async with stopped(*readers) as tasks:
        refused = await rest.client.get(path, headers=ada.headers)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert list(counted.values()) == [MOST]
        stop(readers[0], tasks[0])
        await asyncio.wait([tasks[0]], timeout=PATIENCE)
        assert list(counted.values()) == [MOST - 1]
        got = await rest.client.get(path, headers=ada.headers)
        assert (got.status_code, got.content) == (200, LONG)
    assert counted == {}


async def test_answers_without_bytes_count_no_longer_than_they_take(
    rest: RestFace, ada: Account, counted: Any
) -> None:  # fmt: skip
    row = await make_file(rest, ada)
    path = f"/api/v1/files/{row['id']}/content"
    for status, given in ((206, {"Range": "bytes=0-1"}), (416, {"Range": "bytes=999-"}), (412, {"If-Match": '"x"'})):
        assert (await rest.client.get(path, headers={**ada.headers, **given})).status_code == status
        assert counted == {}
    assert (await rest.client.head(path, headers=ada.headers)).status_code == 200
    assert counted == {}


@pytest.mark.parametrize("takes", [0, 2])
async def test_a_download_that_nobody_reads_is_given_up_and_not_ended_as_if_it_were_whole(
    app: Any, rest: RestFace, ada: Account, counted: Any, hasty: None, takes: int
) -> None:
    reader = Reader(app, await long_file(rest, ada), ada, takes)
    reader.scope["extensions"] = {ABORT: reader.gone.set}
    with capture_logs() as logs:
        await ended(asyncio.create_task(reader.fetch()))
    assert reader.gone.is_set()
    assert [message["status"] for message in reader.got[:1]] == [200]
    assert [(len(message["body"]), message["more_body"]) for message in reader.got[1:]] == [(PIECE, True)] * takes
    assert [each["event"] for each in logs if each["log_level"] in ("warning", "error")] == []
    assert counted == {}


async def test_a_server_that_cannot_hang_up_is_left_to_close(
    app: Any, rest: RestFace, ada: Account, counted: Any, hasty: None
) -> None:  # fmt: skip
    reader = Reader(app, await long_file(rest, ada), ada)
    await ended(asyncio.create_task(reader.fetch()))
    assert [message["type"] for message in reader.got] == ["http.response.start"]
    assert counted == {}


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("text/javascript", b"alert(1)"), ("application/x-javascript", b"alert(1)"), ("text/javascript1.5", b"1"),
        ("application/ecmascript", b"alert(1)"), ("text/jscript", b"alert(1)"), ("text/css", b"a{}"),
        ("application/wasm", b"\0asm\1\0\0\0"), ("application/xslt+xml", b"<a/>"), ("text/cache-manifest", b"CACHE"),
        ("application/manifest+json", b"{}"), ("application/speculationrules+json", b"{}"),
    ],
)  # fmt: skip
async def test_what_browsers_run_is_sent_as_mere_bytes(
    rest: RestFace, ada: Account, declared: str, content: bytes
) -> None:  # fmt: skip
    row = await make_file(rest, ada, content, media_type=declared, name="a.js")
    assert row["media_type"] == declared
    link = (await rest.ok("link_file", ada, id=row["id"]))["url"]
    for got in (await rest.client.get(link), await rest.client.head(link), await fetch(rest, ada, row["id"])):
        assert (got.status_code, got.headers["content-type"]) == (200, "application/octet-stream")
        assert got.headers["content-disposition"].startswith("attachment; ")
        assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("declared", ["application/json", "text/csv", "text/html", "image/svg+xml", "application/xml"])
async def test_what_is_only_saved_keeps_its_type(rest: RestFace, ada: Account, declared: str) -> None:
    row = await make_file(rest, ada, b"1", media_type=declared, name="a")
    got = await fetch(rest, ada, row["id"])
    assert (got.headers["content-type"], got.headers["content-disposition"][:12]) == (declared, "attachment; ")


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=999-"])
async def test_only_get_knows_ranges(rest: RestFace, ada: Account, asked: str) -> None:
    row = await make_file(rest, ada)
    answer = await rest.client.head(f"/api/v1/files/{row['id']}/content", headers={**ada.headers, "Range": asked})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(PNG)))
    assert "content-range" not in answer.headers


async def test_whoever_may_send_may_ask_where_to_go_on_and_nothing_else(
    rest: RestFace, ada: Account, eve: Account
) -> None:  # fmt: skip
    made = await rest.ok("create_file", ada, announced(PNG))
    key, strange = [await make_key(rest, each, scopes=["files:write"]) for each in (ada, eve)]
    path = f"/api/v1/files/{made['id']}/content"

    async def asked(actor: Account) -> tuple[int, str | None]:
        answer = await rest.client.head(path, headers=actor.headers)
        assert "etag" not in answer.headers
        assert "content-disposition" not in answer.headers
        return answer.status_code, answer.headers.get("upload-offset")

    first = {"Content-Range": f"bytes 0-3/{len(PNG)}"}
    assert await asked(key) == (204, "0")
    assert (await rest.client.put(path, content=PNG[:4], headers={**key.headers, **first})).status_code == 204
    assert await asked(key) == (204, "4")
    assert (await rest.client.put(path, content=PNG, headers=key.headers)).status_code == 204
    await rest.ok("complete_file", ada, id=made["id"])
    assert await asked(key) == (204, str(len(PNG)))
    assert await asked(strange) == (404, None)
    assert (await rest.client.get(path, headers=key.headers)).json()["code"] == "insufficient_scope"
    other = await make_key(rest, ada, scopes=["users:read"])
    assert await asked(other) == (403, None)


@pytest.mark.parametrize(("method", "status"), [("get", "412"), ("head", "412"), ("put", "415")])
async def test_the_document_has_every_answer_about_bytes(
    rest: RestFace, ada: Account, method: str, status: str
) -> None:  # fmt: skip
    row = await make_file(rest, ada)
    path = f"/api/v1/files/{row['id']}/content"
    given = {"If-Match": '"x"'} if status == "412" else {"Content-Encoding": "gzip"}
    answer = await rest.client.request(method, path, headers={**ada.headers, **given})
    assert answer.status_code == int(status)
    described = (await rest.client.get("/api/v1/openapi.json")).json()["paths"]["/api/v1/files/{id}/content"]
    assert status in described[method]["responses"]
    assert {"206", "416"}.isdisjoint(described["head"]["responses"])
    assert "412" in described["put"]["responses"]


@pytest.mark.parametrize("given", ['"x"', "*"])
async def test_bytes_are_not_sent_where_others_are_expected(rest: RestFace, ada: Account, given: str) -> None:
    """There is nothing yet that could be matched (RFC 9110, 13.1.1)."""
    made = await rest.ok("create_file", ada, announced(PNG))
    refused = await rest.client.put(made["upload_url"], content=PNG, headers={"If-Match": given})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert (await rest.client.head(made["upload_url"])).headers["upload-offset"] == "0"
    sent = await rest.client.put(made["upload_url"], content=PNG, headers={"If-None-Match": "*"})
    assert sent.status_code == 204
    await rest.ok("complete_file", ada, id=made["id"])
    again = await rest.client.put(made["upload_url"], content=PNG, headers={"If-None-Match": "*"})
    assert (again.status_code, again.json()["code"]) == (412, "precondition_failed")


async def test_who_comes_by_a_link_is_in_the_access_line_as_nobody_who_does_something(
    rest: RestFace, ada: Account
) -> None:
    row = await make_file(rest, ada)
    link = (await rest.ok("link_file", ada, id=row["id"]))["url"]
    made = await rest.ok("create_file", ada, announced(PNG))
    with observed() as seen:
        assert (await rest.client.get(link)).status_code == 200
        assert (await rest.client.put(made["upload_url"], content=PNG)).status_code == 204
    assert [(each.operation, each.actor) for each in seen] == [
        ("get_file", "anonymous"), ("complete_file", "anonymous"),
    ]  # fmt: skip
