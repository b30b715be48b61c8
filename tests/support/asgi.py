"""Requests to an application in process, without a client in between, and what was observed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import orjson

from services.process.observation import Observation


@dataclass(frozen=True, slots=True)
class Reply:
    """What an application answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.content)


async def request(
    app: Any, method: str, path: str, *, query: bytes = b"", headers: Mapping[str, str], content: bytes = b""
) -> Reply:
    """One request; `query` is the query string as it is sent."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "",
        "headers": [(b"host", b"gateway.test"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
        "client": ("192.0.2.1", 50_000), "server": ("gateway.test", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
    return Reply(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body)


async def graphql(app: Any, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
    """One GraphQL request."""
    all_headers = {"Content-Type": "application/json", **headers}
    return await request(app, "POST", "/graphql", headers=all_headers, content=orjson.dumps(body))


@contextmanager
def observed() -> Iterator[list[Observation]]:
    """What is observed of each request while the block lasts, in order; no access lines are written meanwhile."""
    found: list[Observation] = []

    def note(scope: object, seen: Observation, *_: object) -> None:
        found.append(seen)

    with patch("gateway.asgi.frame.write_access_line", note):
        yield found
