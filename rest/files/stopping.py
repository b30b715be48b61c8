"""Ends uploads when the server is about to stop, before it cuts them off."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.types import Scope

from services.files.uploads import StoppedUploadError
from services.process.shutdown import ON_SHUTDOWN


async def until_shutdown(scope: Scope, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the body of a request, part by part. Raises StoppedUploadError once the server begins to stop."""
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        is_stopping = True

    scope.get("extensions", {}).get(ON_SHUTDOWN, []).append(stop)
    async for part in body:
        yield part
        if is_stopping:
            raise StoppedUploadError
