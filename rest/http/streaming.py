"""Bodies of requests that are read as they come in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from services.files.forms import awaited


def body_of(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body of a request, part by part. Raises as `awaited`."""
    return awaited(aiter(request.stream()), idle_seconds, ClientDisconnect)
