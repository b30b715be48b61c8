"""Files to test with, and ways to send them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from typing import Any

import httpx

from tests.support.accounts import Account
from tests.support.faces import Face

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"


def announced(content: bytes, **fields: Any) -> dict[str, Any]:
    """What is said of a file before it is sent."""
    return {"name": "a.bin", "size": len(content), "sha256": sha256(content).hexdigest(), **fields}


async def make_file(face: Face, actor: Account, content: bytes = PNG, **fields: Any) -> Any:
    """A file that is complete."""
    fields = {"name": "engine.png", "media_type": "image/png", **fields}
    made = await face.ok("create_file", actor, announced(content, **fields))
    sent = await face.client.put(made["upload_url"], content=content)
    assert sent.status_code == 204, sent.text
    return await face.ok("complete_file", actor, id=made["id"])


async def fetch(face: Face, actor: Account | None, id: str, **headers: str) -> httpx.Response:
    """GET the bytes, by credentials."""
    own = actor.headers if actor else {}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await face.client.get(f"/api/v1/files/{id}/content", headers={**own, **given})


async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body without a declared length."""
    for part in parts:
        yield part
