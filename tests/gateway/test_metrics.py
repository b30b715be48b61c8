"""Requests are counted, each once, by the way its reads went; by several workers as by one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.mmap_dict import MmapedDict
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.asgi import frame
from gateway.errors import SettingsError
from gateway.settings import Settings
from services.process import observation
from tests.support import server
from tests.support.accounts import Account
from tests.support.apps import make_app, running
from tests.support.programs import run
from tests.support.server import START_SECONDS, live_gateway

NOTHING_YET = """\
# HELP gateway_requests_total HTTP requests by the way their reads went: a compiled plan, or the resolvers (general).
# TYPE gateway_requests_total counter
gateway_requests_total{read="compiled"} 0.0
gateway_requests_total{read="general"} 0.0
gateway_requests_total{read="none"} 0.0
"""


@pytest.fixture
async def counted(
    settings: Settings, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that counts; nothing has been counted yet, and ada is signed in."""
    monkeypatch.setattr(metrics, "_series", {})
    async with running(settings.model_copy(update={"METRICS": True, "COMPILED_READS": True})) as found:
        yield found.client


def numbers(answer: httpx.Response) -> Counter[str]:
    """What `/metrics` says, by the label `read`."""
    assert answer.status_code == 200, answer.text
    found = re.findall(r'^gateway_requests_total\{read="(\w+)"\} (\d+)\.0$', answer.text, re.MULTILINE)
    assert len(found) == 3, answer.text
    return Counter({label: int(value) for label, value in found})


async def test_every_series_is_there_from_the_start(counted: httpx.AsyncClient) -> None:
    answer = await counted.get("/metrics")

    assert (answer.status_code, answer.text) == (200, NOTHING_YET)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert (await counted.get("/metrics/")).status_code == 200


Json = dict[str, Any] | list[Any]
INTROSPECTION = "{ __schema { queryType { name } } }"
BOTH = "{ me { id } __schema { queryType { name } } }"
QUERY = "{ items { nodes { id } } labels { totalCount } }"
RENAME = 'mutation { updateUser(input: {id: "@", fullName: "Ada"}) { user { fullName } } }'
REQUESTS: dict[str, tuple[str, str, Json | None, int, str]] = {
    "a list by REST": ("GET", "/api/v1/items", None, 200, "compiled"),
    "two lists by GraphQL": ("POST", "/graphql", {"query": QUERY}, 200, "compiled"),
    "introspection": ("POST", "/graphql", {"query": INTROSPECTION}, 200, "general"),
    "both in one document": ("POST", "/graphql", {"query": BOTH}, 200, "general"),
    "a write by REST, whose result is read": ("PATCH", "/api/v1/users/@", {"full_name": "Ada"}, 200, "compiled"),
    "a write by GraphQL": ("POST", "/graphql", {"query": RENAME}, 200, "compiled"),
    "a write that reads nothing": ("POST", "/api/v1/auth/logout-all", None, 204, "none"),
    "a write that is refused": ("PATCH", "/api/v1/users/@", {"full_name": 1}, 422, "none"),
    "a body that cannot be read": ("POST", "/graphql", [], 400, "none"),
    "no such address": ("GET", "/nowhere", None, 404, "none"),
    "no such method": ("PUT", "/api/v1/items", {}, 405, "none"),
    "health": ("GET", "/health/live", None, 200, "none"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "read"), REQUESTS.values(), ids=REQUESTS)
async def test_a_request_is_counted_once_by_the_way_of_its_reads(
    counted: httpx.AsyncClient, ada: Account, method: str, path: str, body: Json | None, status: int, read: str
) -> None:
    sent = json.dumps(body).replace("@", ada.id) if body is not None else None
    headers = {**ada.headers, "Content-Type": "application/json"}
    answer = await counted.request(method, path.replace("@", ada.id), content=sent, headers=headers)
    assert answer.status_code == status, answer.text

    assert numbers(await counted.get("/metrics")) == Counter({read: 1})
    assert numbers(await counted.get("/metrics")) == Counter([read, "none"])


async def test_many_at_once_are_all_counted(counted: httpx.AsyncClient, ada: Account) -> None:
    asked = [("/api/v1/items", ada.headers), ("/api/v1/items", {}), ("/graphql?query={__schema{__typename}}", {})] * 20
    await asyncio.gather(*(counted.get(path, headers=headers) for path, headers in asked))

    assert numbers(await counted.get("/metrics")) == Counter(compiled=20, none=20, general=20)


async def test_an_unexpected_exception_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, ...]] = []
    monkeypatch.setattr(frame, "count", lambda *series: reads.append(series))

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        observation.note_path("compiled")
        raise ZeroDivisionError

    for kind in ("http", "websocket"):
        scope: Scope = {"type": kind, "method": "GET", "path": "/", "headers": []}
        with pytest.raises(ZeroDivisionError):
            await frame.RequestFrame(failing)(scope, nothing, nothing)

    assert reads == [("requests", "compiled")]


async def nothing(*_: Any) -> Any:
    """Neither receives nor sends."""


async def test_only_reading_is_allowed(counted: httpx.AsyncClient) -> None:
    head = await counted.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/plain")

    answer = await counted.post("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_without_the_setting_there_is_no_such_address(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/metrics")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert method == "HEAD" or answer.json()["code"] == "not_found"


@pytest.mark.parametrize("setting", ["false", "true"])
def test_the_library_is_imported_where_the_setting_is_on(settings: Settings, setting: str) -> None:
    program = "import sys, gateway.main; print('prometheus_client' in sys.modules)"
    done = run("python", "-c", program, env={**server.environment(settings), "METRICS": setting})

    assert done.stdout.strip() == str(setting == "true"), done.stderr


def test_a_folder_that_is_missing_is_told_in_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=r"^PROMETHEUS_MULTIPROC_DIR must name a folder\.$"):
        make_app(settings.model_copy(update={"METRICS": True}))


def told(url: str) -> Counter[str]:
    """What one worker says, without the requests that read nothing: asking is one of them."""
    found = numbers(httpx.get(f"{url}/metrics"))
    del found["none"]
    return found


def by_worker(folder: Path) -> dict[int, int]:
    """Compiled reads of each process that has counted anything, from the files."""
    found = {}
    for file in folder.glob("gateway-metrics-*/counter_*.db"):
        if not file.stat().st_size:
            continue  # made this very moment
        values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        number = sum(int(value) for key, value, *_ in values if '"compiled"' in key)
        found[int(file.stem.partition("_")[2])] = number
    return found


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.proof
def test_workers_are_added_up_also_after_one_has_died(
    settings: Settings, ada: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = {"TMPDIR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "another")}
    given = {"METRICS": "true", "PLAN_ON_SIGHT": "1", **folders}
    plain = server.environment
    monkeypatch.setattr(server, "environment", lambda settings: {**plain(settings), **given})
    expected: Counter[str] = Counter(compiled=0, general=0)

    def read(url: str) -> None:
        assert httpx.get(f"{url}/api/v1/items", headers=ada.headers).status_code == 200
        expected["compiled"] += 1

    with live_gateway(settings, workers=2) as live:
        assert httpx.post(f"{live.url}/graphql", json={"query": INTROSPECTION}).status_code == 200
        expected["general"] += 1
        while sum(map(bool, by_worker(tmp_path).values())) < 2:
            read(live.url)
            assert expected["compiled"] < 500, "one worker serves everybody"
        # A worker counts when the answer is out.
        wait_until(lambda: told(live.url) == expected)
        assert [told(live.url) for _ in range(20)] == [expected] * 20

        before = by_worker(tmp_path)
        dead = min(before)
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: len(by_worker(tmp_path)) == 3)
        for _ in range(20):
            read(live.url)
        wait_until(lambda: told(live.url) == expected)
        assert by_worker(tmp_path)[dead] == before[dead]

        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
