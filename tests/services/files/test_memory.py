"""What a large file takes of memory: its bytes pass, whatever its size."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.engine.gateway import Gateway
from services.files.store import FileStore
from tests.support.accounts import Account
from tests.support.faces import RestFace

SIZE: Final = 200 * 1024 * 1024
PART: Final = bytes(256 * 1024)
MOST: Final = 40 * 1024 * 1024
_STATM: Final = Path("/proc/self/statm")

pytestmark = [pytest.mark.proof, pytest.mark.skipif(not _STATM.exists(), reason="there is no /proc")]


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watched:
    """One request of the application, whose bodies are neither kept nor made at once, and the most memory it took."""

    def __init__(self, app: FastAPI, size: int = 0) -> None:
        self._app, self._left = app, size
        self.most, self.status, self.received = 0, 0, 0
        self._ended = False

    async def call(self, method: str, url: str, **headers: str) -> Watched:
        """Make the request."""
        parts = urlsplit(url)
        fields = {"host": "gateway.test", **headers, **({"content-length": str(self._left)} if self._left else {})}
        await self._app(
            {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
                "path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query.encode(),
                "root_path": "", "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
                "client": ("127.0.0.1", 50_000), "server": ("gateway.test", 80),
            },
            self._receive, self._send,
        )  # fmt: skip
        return self

    async def _receive(self) -> dict[str, Any]:
        self.most = max(self.most, resident())
        if self._ended:
            await asyncio.Event().wait()  # the client stays
        part = PART[: self._left]
        self._left -= len(part)
        self._ended = self._left == 0
        return {"type": "http.request", "body": part, "more_body": not self._ended}

    async def _send(self, message: Any) -> None:
        self.most = max(self.most, resident())
        self.status = message.get("status", self.status)
        self.received += len(message.get("body", b""))


async def test_two_hundred_megabytes_take_less_than_forty(
    app: FastAPI, gateway: Gateway, rest: RestFace, ada: Account
) -> None:
    async def there_and_back(size: int) -> int:
        made = await rest.ok("create_file", ada, {"name": "a.bin", "size": size})
        sent = await Watched(app, size).call("PUT", made["upload_url"])
        assert sent.status == 204
        assert (await rest.ok("complete_file", ada, id=made["id"]))["size"] == size
        got = await Watched(app).call("GET", f"/api/v1/files/{made['id']}/content", **ada.headers)
        assert (got.status, got.received) == (200, size)
        await gateway.part(FileStore).delete(UUID(made["id"].removeprefix("fil_")))
        return max(sent.most, got.most)

    await there_and_back(len(PART))
    before = resident()
    grown = await there_and_back(SIZE) - before
    assert grown < MOST
