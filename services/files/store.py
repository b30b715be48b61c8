"""The bytes of files in an object store: in chunks of one size, so that an upload goes on where it was interrupted.

A chunk is `<key of the row in hexadecimal>/<attempt>/<number>`, never a name that somebody has chosen. All have CHUNK
bytes but the last. What an interrupted upload had of the next one is beside them, as `<number>.<bytes>`. No object is
ever written over: whoever has hashed it knows what is there. What of it belongs to the file is the row's to say.
"""

from __future__ import annotations

import asyncio
import errno
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
import structlog
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url
from pydantic import SecretStr

from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE

CHUNK: Final = 8 * 1024 * 1024
"""Bytes of a chunk, and about what an upload holds in memory. Files in the store are read by it: never change it."""
READ: Final = 256 * 1024
"""Bytes that are read from the store at once, at least."""
RETRY_AFTER: Final = 5
STORE_SECONDS: Final = 45.0
"""What the store may take for one thing: a chunk to put, a part to read, a name to delete."""
AT_ONCE: Final = 16
"""Names that are deleted at the same time."""

_KEY: Final = re.compile("[0-9a-f]{32}")
_NAME: Final = re.compile(rf"(?P<key>{_KEY.pattern})/(?P<attempt>[0-9]+)/(?P<number>[0-9]+)(?P<tail>\.[0-9]+)?")

log = structlog.get_logger(__name__)


class MissingBytesError(Exception):
    """What should be in the store is not there."""


class Place(NamedTuple):
    """Where the bytes of one attempt at a file are."""

    key: UUID
    attempt: int

    def chunk(self, number: int) -> str:
        return f"{self.key.hex}/{self.attempt}/{number:06d}"

    def tail(self, offset: int) -> str:
        """The name of the beginning of a chunk, which ends at `offset`."""
        number, length = divmod(offset, CHUNK)
        return f"{self.chunk(number)}.{length}"


class Stored(NamedTuple):
    """An object of the store: whose it is. `number` is None for the beginning of a chunk."""

    name: str
    key: UUID
    attempt: int
    number: int | None


@dataclass(frozen=True)
class FileStore:
    """The store at `url` (`file://`, `s3://`, `gs://`, `az://`); `options` are obstore's own.

    Whatever the store cannot do at the moment is `unavailable`.
    """

    url: str = field(repr=False)
    options: dict[str, SecretStr] = field(default_factory=dict, repr=False)

    @cached_property
    def store(self) -> ObjectStore:
        """The store itself. A folder is made if there is none. Raises `unavailable` for options that are wrong."""
        options: dict[str, Any] = {name: value.get_secret_value() for name, value in self.options.items()}
        plain: Any = {"allow_http": True} if options.pop("allow_http", "") == "true" else None
        try:
            if self.root is not None:
                return LocalStore(self.root, mkdir=True)
            return from_url(self.url, config=options or None, client_options=plain)  # type: ignore[arg-type] # by their names
        except (BaseError, OSError, ValueError, TypeError) as error:
            fault = type(error).__name__
        # What it says of them repeats them: neither a log nor an answer may.
        log.error("the store of files cannot be opened", fault=fault)
        raise _unavailable()

    @property
    def root(self) -> Path | None:
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    async def put(self, name: str, content: bytes) -> bool:
        """Keep an object: all of it, or nothing, and never over another. False if there is one with other bytes."""
        try:
            async with _reached():
                await obstore.put_async(self.store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            try:
                return await self.get(name) == content
            except MissingBytesError:  # whoever had put it has deleted it
                return False
        return True

    async def get(self, name: str) -> bytes:
        """A whole object. Raises MissingBytesError."""
        async with _reached():
            return bytes(await (await obstore.get_async(self.store, name)).bytes_async())

    async def read(self, place: Place, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` to before `end`. Raises MissingBytesError."""
        while start < end:
            number, offset = divmod(start, CHUNK)
            length = min(CHUNK - offset, end - start)
            options: Any = {"range": (offset, offset + length)}
            async with _reached():
                found = await obstore.get_async(self.store, place.chunk(number), options=options)
            if found.range != (offset, offset + length):
                raise MissingBytesError(place.chunk(number))
            async for part in _each(found.stream(min_chunk_size=READ)):
                yield bytes(part)
            start += length

    async def delete(self, key: UUID, before: int | None = None) -> None:
        """Delete all there is of a file, or what there is of attempts before one; nothing is fine, too."""
        async for found in self._listed(key.hex):
            await self.remove([each.name for each, _ in found if before is None or each.attempt < before])
        self.tidy(key)

    async def remove(self, names: Iterable[str]) -> None:
        every = tuple(names)
        for start in range(0, len(every), AT_ONCE):
            await asyncio.gather(*[self._remove(name) for name in every[start : start + AT_ONCE]])

    async def _remove(self, name: str) -> None:
        with suppress(MissingBytesError):  # somebody else was quicker
            async with _reached():
                await obstore.delete_async(self.store, name)

    async def old(self, before: datetime) -> AsyncIterator[list[Stored]]:
        """What has been in the store since before an instant, some at a time."""
        async for found in self._listed(None):
            yield [each for each, written_at in found if written_at < before]

    async def _listed(self, prefix: str | None) -> AsyncIterator[list[tuple[Stored, datetime]]]:
        async for batch in _each(self.store.list(prefix)):
            found = [(_stored(each["path"]), each["last_modified"]) for each in batch]
            yield [(each, written_at) for each, written_at in found if each is not None]

    def remove_unfinished(self, before: datetime) -> None:
        """Remove what a folder has of chunks whose writer has died; an object store has no such thing."""
        if self.root is None or not self.root.is_dir():
            return
        for folder in self.root.iterdir():
            if folder.is_dir() and _KEY.fullmatch(folder.name):
                _remove_staged(folder, before.timestamp())
                _remove_empty(folder)

    def tidy(self, key: UUID) -> None:
        """Remove the folders that a file has left."""
        folder = self.root and self.root / key.hex
        if folder and folder.is_dir():
            _remove_staged(folder, time.time() - 60)
            _remove_empty(folder)


def _remove_staged(folder: Path, before: float) -> None:
    """obstore writes to `<name>#<number>` first, and lists no such file."""
    for each in folder.glob("*/*#*"):
        try:
            if each.stat().st_mtime < before:
                each.unlink()
        except FileNotFoundError:
            continue


def _remove_empty(folder: Path) -> None:
    for each in (*folder.glob("*/"), folder):
        try:
            each.rmdir()
        except OSError:
            continue  # something is in it, or is written into it again


def _stored(name: str) -> Stored | None:
    """What an object is; None for what is not ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Stored(name, UUID(found["key"]), int(found["attempt"]), int(found["number"]) if not found["tail"] else None)


async def _each(stream: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """What comes from the store piece by piece. Raises as `_reached`."""
    pieces, end = aiter(stream), object()
    while True:
        async with _reached():
            piece = await anext(pieces, end)
        if piece is end:
            return
        yield piece


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    """Raises `unavailable` where the store does not do what it should in time, MissingBytesError where nothing is."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            yield
    except (NotFoundError, FileNotFoundError) as error:
        raise MissingBytesError from error
    except AlreadyExistsError:
        raise
    except (BaseError, OSError) as error:  # a timeout is an OSError, too
        # What it says may repeat its address and options, which no log may.
        fault = errno.errorcode.get(getattr(error, "errno", None) or 0) or type(error).__name__
        log.warning("the store of files does not answer", fault=fault)
        raise _unavailable() from error


def _unavailable() -> Problem:
    return Problem(UNAVAILABLE, "The store of files does not answer.", retry_after=RETRY_AFTER)
