"""The bytes of files in an object store: in chunks of one size, so that an upload goes on where it was interrupted.

The chunks of a file are `<key of the row in hexadecimal>/<number>`, never a name that somebody has chosen. All have
CHUNK bytes but the last. What is in the store is seen by nobody before the row says so.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

CHUNK: Final = 8 * 1024 * 1024
"""Bytes of a chunk, and about what an upload holds in memory. Files in the store are read by it: never change it."""
READ: Final = 256 * 1024
"""Bytes that are read from the store at once, at least."""


def name_of(key: UUID, number: int) -> str:
    """The name of a chunk in the store."""
    return f"{key.hex}/{number:06d}"


@dataclass(frozen=True)
class FileStore:
    """The store at `url` (`file://`, `s3://`, `gs://`, `az://`); `options` are obstore's own."""

    url: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def store(self) -> ObjectStore:
        """The store itself. A folder is made if there is none."""
        if self.root is not None:
            return LocalStore(self.root, mkdir=True)
        options, plain = dict(self.options), {"allow_http": True} if self.options.get("allow_http") == "true" else None
        options.pop("allow_http", None)
        return from_url(self.url, config=options or None, client_options=plain)  # type: ignore[arg-type] # by their names

    @property
    def root(self) -> Path | None:
        """The folder, where the store is one."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    async def put(self, key: UUID, number: int, chunk: bytes | bytearray) -> None:
        """Keep a chunk: all of it, or nothing."""
        await obstore.put_async(self.store, name_of(key, number), chunk, use_multipart=False)

    async def read(self, key: UUID, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` to before `end`."""
        while start < end:
            number, offset = divmod(start, CHUNK)
            length = min(CHUNK - offset, end - start)
            found = await obstore.get_async(
                self.store, name_of(key, number), options={"range": (offset, offset + length)}
            )
            async for part in found.stream(min_chunk_size=READ):
                yield bytes(part)
            start += length

    async def delete(self, key: UUID) -> None:
        """Delete all there is of a file; nothing is fine, too."""
        async for batch in self.store.list(key.hex):
            names = [each["path"] for each in batch]
            for name in names:
                try:
                    await obstore.delete_async(self.store, name)
                except FileNotFoundError:
                    continue  # somebody else was quicker
        if self.root is not None:
            _remove(self.root / key.hex)

    async def old(self, before: datetime) -> AsyncIterator[set[UUID]]:
        """The keys of files of which something has been in the store since before an instant, some at a time."""
        async for batch in self.store.list():
            found = {_key(each["path"]) for each in batch if each["last_modified"] < before}
            yield found - {None}  # type: ignore[misc] # what is left are keys

    def remove_unfinished(self, before: datetime) -> None:
        """Remove what a folder has of chunks whose writer has died; an object store has no such thing."""
        if self.root is None or not self.root.is_dir():
            return
        for each in _unfinished(self.root):
            try:
                if each.stat().st_mtime < before.timestamp():
                    each.unlink()
            except FileNotFoundError:
                continue


def _unfinished(root: Path) -> Iterator[Path]:
    """obstore writes to `<name>#<number>` first, and lists no such file."""
    for folder in root.iterdir():
        if folder.is_dir() and _key(f"{folder.name}/"):
            yield from folder.glob("*#*")


def _remove(folder: Path) -> None:
    """Remove a folder that is empty but for what nobody finished writing."""
    if not folder.is_dir():
        return
    for each in folder.glob("*#*"):
        if time.time() - each.stat().st_mtime > 60:
            each.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return  # something is written into it again


def _key(path: str) -> UUID | None:
    """The key of the file that an object belongs to; None for what is not ours."""
    text = path.partition("/")[0]
    try:
        return UUID(text) if len(text) == 32 else None
    except ValueError:
        return None
