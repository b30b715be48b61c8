"""What a request about bytes costs and holds, what it says when they are missing, and that no secret is shown."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from structlog.testing import capture_logs

from gateway.asgi import bodies
from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Problem
from services.engine.gateway import Gateway
from services.files.models import File
from services.files.store import FileStore, Place
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, client_from
from tests.support.budgets import ANONYMOUS as ANONYMOUS_POINTS
from tests.support.budgets import Clock, anywhere, budget_of, budgeted, left
from tests.support.faces import RestFace
from tests.support.uploads import PNG, announced, fetch, make_file

DRY = {"X-Dry-Run": "cost"}


@pytest.fixture(scope="module")
async def poor(settings: Settings) -> AsyncIterator[Running]:
    """An application with small budgets."""
    async with budgeted(settings, Clock()) as found:
        yield found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_bytes_are_read_without_a_lock(rest: RestFace, gateway: Gateway, ada: Account, method: str) -> None:
    row = await make_file(rest, ada)
    async with gateway.unit_of_work(ANONYMOUS) as call:
        await call.session.execute(select(File).where(File.id == row["id"].removeprefix("fil_")).with_for_update())
        async with asyncio.timeout(30):
            answer = await rest.client.request(method, f"/api/v1/files/{row['id']}/content", headers=ada.headers)
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(PNG)))


async def test_bytes_that_are_missing_are_not_found_and_told_in_the_log(
    rest: RestFace, gateway: Gateway, ada: Account
) -> None:
    row = await make_file(rest, ada)
    url = (await rest.ok("link_file", ada, id=row["id"]))["url"]
    async with gateway.unit_of_work(ANONYMOUS) as call:
        key = row["id"].removeprefix("fil_")
        found = (await call.session.execute(select(File.id, File.attempt).where(File.id == key))).one()
    await gateway.part(FileStore).delete(found.id)
    for headers, address in ((ada.headers, f"/api/v1/files/{row['id']}/content"), ({}, url)):
        with capture_logs() as logs:
            answer = await rest.client.get(address, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        errors = [each["event"] for each in logs if each["log_level"] == "error"]
        assert errors == ["the bytes of a file are missing"]
    assert await gateway.part(FileStore).put(Place(found.id, found.attempt).chunk(0), PNG[:-1])  # cut off
    assert (await fetch(rest, ada, row["id"])).status_code == 404


async def test_a_file_of_nothing_is_fetched(rest: RestFace, ada: Account) -> None:
    row = await make_file(rest, ada, b"", media_type="text/plain")
    got = await fetch(rest, ada, row["id"])
    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", "0")


async def test_each_request_about_bytes_costs_a_point(poor: Running) -> None:
    async with client_from(poor.app, anywhere()) as client:
        account = await sign_up(client)
        rest = RestFace(client, poor.gateway.catalogue)
        made = await rest.ok("create_file", account, announced(PNG, media_type="image/png"))
        path = f"/api/v1/files/{made['id']}/content"
        before = left(await client.get("/api/v1/users/me", headers=account.headers))
        assert left(await client.put(path, content=PNG, headers=account.headers)) == before - 1
        await rest.ok("complete_file", account, id=made["id"])
        before = left(await client.get(path, headers=account.headers))
        assert left(await client.get(path, headers={**account.headers, "Range": "bytes=0-0"})) == before - 1
        assert left(await client.head(path, headers=account.headers)) == before - 2
        assert left(await client.get(path, headers={**account.headers, "If-Match": '"x"'})) == before - 3


async def test_a_dry_run_about_bytes_tells_the_price_and_stores_nothing(poor: Running) -> None:
    async with client_from(poor.app, anywhere()) as client:
        account = await sign_up(client)
        rest = RestFace(client, poor.gateway.catalogue)
        made = await rest.ok("create_file", account, announced(PNG))
        for address, own in ((made["upload_url"], {}), (f"/api/v1/files/{made['id']}/content", account.headers)):
            answer = await client.put(address, content=PNG, headers={**own, **DRY})
            assert (answer.status_code, answer.json()["cost"]) == (200, 1)
            assert (await client.head(made["upload_url"])).headers["upload-offset"] == "0"


async def test_who_has_no_points_left_sends_and_fetches_nothing(poor: Running) -> None:
    async with client_from(poor.app, anywhere()) as client:
        account = await sign_up(client)
        rest = RestFace(client, poor.gateway.catalogue)
        made = await rest.ok("create_file", account, announced(PNG))
    host = anywhere()
    await budget_of(poor).charge(ANONYMOUS, host, ANONYMOUS_POINTS - 1, "rest")
    async with client_from(poor.app, host) as client:
        assert (await client.head(made["upload_url"])).status_code == 204
        refused = await client.put(made["upload_url"], content=PNG)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    async with client_from(poor.app, anywhere()) as client:
        assert (await client.head(made["upload_url"])).headers["upload-offset"] == "0"


class Endless:
    """The sender of a body that never ends; `most` bytes come at once, then nothing."""

    def __init__(self, most: float) -> None:
        self.most, self.read = most, 0
        self.answer: list[Any] = []

    async def receive(self) -> Any:
        if self.read >= self.most:
            await asyncio.Event().wait()
        self.read += 65_536
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    async def send(self, message: Any) -> None:
        self.answer.append(message)


@pytest.mark.parametrize("most", [float("inf"), 131_072])
async def test_the_body_of_a_refused_upload_is_read_for_a_while_and_then_the_connection_closes(
    app: Any, rest: RestFace, ada: Account, monkeypatch: pytest.MonkeyPatch, most: float
) -> None:
    row = await make_file(rest, ada)
    monkeypatch.setattr(bodies, "LINGER_LONGER", 0.02)
    url, sender = urlsplit(f"/api/v1/files/{row['id']}/content?expires=1&signature=x"), Endless(most)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT", "scheme": "http",
        "path": url.path, "raw_path": url.path.encode(), "query_string": url.query.encode(), "root_path": "",
        "headers": [(b"host", b"gateway.test"), (b"content-length", b"900000000")],
        "client": ("192.0.2.1", 50_000), "server": ("gateway.test", 80),
    }  # fmt: skip
    await app(scope, sender.receive, sender.send)
    start, *parts = sender.answer
    assert (start["status"], dict(start["headers"])[b"connection"]) == (403, b"close")
    assert b"invalid_link" in parts[0]["body"]
    assert not parts[-1].get("more_body", False)
    assert sender.read >= 131_072


def test_what_the_store_is_told_is_never_shown(settings: Settings) -> None:
    secret = secrets.token_urlsafe(16)
    given = {"secret_access_key": secret, "access_key_id": secret, "region": "here"}
    found = Settings(**{**settings.model_dump(), "FILES_URL": f"s3://{secret}/x", "FILES_STORE": given})
    store = FileStore(found.files_url, found.FILES_STORE)
    for each in (found, found.model_dump(), found.model_dump_json(), found.FILES_STORE, store, store.options):
        assert secret not in f"{each!r} {each}"
    own = FileStore("s3://bucket", found.FILES_STORE)
    assert secret not in f"{own!r} {own.store!r}"


@pytest.mark.parametrize("options", [{"brass": "hunter2"}, {"aws_skip_signature": "hunter2"}])
async def test_a_store_that_is_told_nonsense_does_not_repeat_it(options: dict[str, str]) -> None:
    store = FileStore("s3://bucket", {name: SecretStr(value) for name, value in options.items()})
    with capture_logs() as logs, pytest.raises(Problem) as raised:
        await store.put("a", b"x")
    assert "hunter2" not in str(logs)
    assert [each["log_level"] for each in logs] == ["error"]
    found: BaseException | None = raised.value
    while found is not None:
        assert "hunter2" not in f"{found!r} {found}"
        found = found.__cause__ or found.__context__
    assert raised.value.type.code == "unavailable"
