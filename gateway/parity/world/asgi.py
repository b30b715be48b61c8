"""Send requests to an ASGI application in this process, without a client library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

ADDRESS: Final = "192.0.2.1"
AGENT: Final = "parity"
_HEADERS: Final = [
    (b"host", b"gateway.test"), (b"content-type", b"application/json"), (b"user-agent", AGENT.encode()),
]  # fmt: skip


async def request(
    app: Any, method: str, path: str, *, headers: Mapping[str, str], query: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> tuple[int, bytes]:  # fmt: skip
    """Send a request with a JSON body, and return the status and the body of the response."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content or b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": urlencode(query or {}).encode(), "root_path": "",
        "headers": [*_HEADERS, *fields], "client": (ADDRESS, 50_000), "server": ("gateway.test", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    status = next(message["status"] for message in sent if message["type"] == "http.response.start")
    return status, b"".join(message.get("body", b"") for message in sent)
