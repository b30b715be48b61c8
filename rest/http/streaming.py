"""Bodies of requests that are read as they come in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from services.files.forms import interruptible


def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body of a request, part by part. Raises as `interruptible`."""
    return interruptible(request.stream(), ClientDisconnect)
