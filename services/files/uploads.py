"""Uploads: bytes of a file are stored chunk by chunk, counted, hashed, and checked at the end.

There is one upload of a file at a time. It holds a lease in the row and renews it as it proceeds, so that the lease of
a process that has died expires. No transaction is open while bytes are awaited.

A writer that has lost its lease unknowingly does no damage: each new attempt stores its bytes under names of its own,
and no object is overwritten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any, Final, NoReturn
from uuid import UUID, uuid4

from sqlalchemy import select, update  # noqa: TID251 - holders of a link need not be able to read the row

from services.catalogue import ANONYMOUS, Problem
from services.catalogue.problems import (
    CONFLICT,
    NOT_FOUND,
    RANGE_NOT_SATISFIABLE,
    UNAVAILABLE,
    UPLOAD_STALLED,
    VALIDATION_FAILED,
)  # fmt: skip
from services.engine.gateway import Gateway
from services.files.config import FilesConfig
from services.files.models import File, FileState
from services.files.slots import UploadSlots
from services.files.sniffing import HEAD, check_type
from services.files.store import CHUNK, STORE_SECONDS, FileStore, MissingBytesError, Place
from services.storage.base import utc_now

RENEWED_AFTER: Final = 15.0  # seconds
SLOWEST: Final = 512
"""Minimum rate in bytes per second; a slower upload counts as stalled."""

Body = AsyncIterator[bytes]


class InterruptedUploadError(Exception):
    """Raised by the body if no more bytes arrive, as when the client disconnects. Received bytes are kept."""


class StoppedUploadError(InterruptedUploadError):
    """The process is shutting down."""


@dataclass(frozen=True, slots=True)
class UploadRange:
    """The range of a request, from `start` to before `end`. `size` is that of the file."""

    start: int = 0
    end: int | None = None
    size: int | None = None


@dataclass
class Upload:
    """An upload in progress. `exact`: the row's size is that of the file, not its maximum."""

    gateway: Gateway
    place: Place
    size: int
    media_type: str
    sha256: str | None
    lease: UUID
    exact: bool = True
    offset: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _tail: str | None = None
    """Name of the stored beginning of the next chunk, if any."""
    _renewed: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.store = self.gateway.part(FileStore)
        self.idle_seconds = self.gateway.part(FilesConfig).idle_seconds

    async def take(self, body: Body, sent: UploadRange) -> int:
        """Receive a body. Return the number of bytes stored. Raise Problems; bytes to resume from are kept."""
        await self._begin(sent)
        digest = sha256() if self.offset == 0 else None
        end = self.size if sent.end is None else sent.end
        try:
            async for part in self._timed(body):
                if self.offset + len(part) > end:
                    raise Problem.field("size", "range", f"There are more than the {end - sent.start} bytes announced.")
                if digest is not None:
                    digest.update(part)
                await self._add(part)
        except InterruptedUploadError:
            await self._keep()
            raise
        except Problem as problem:
            if problem.type is UPLOAD_STALLED:
                await self._keep()
            elif problem.type not in (UNAVAILABLE, CONFLICT) and sent.start == 0:
                await self._discard()
            raise
        if self.offset < end and (sent.end is not None or self.exact):
            await self._keep()
            raise Problem.field("size", "range", f"There are only {self.offset - sent.start} bytes.")
        if self.offset < self.size and self.exact:
            await self._keep()
        else:
            await self._finish(digest.hexdigest() if digest is not None else None)
        return self.offset

    async def _begin(self, sent: UploadRange) -> None:
        """Load the stored beginning of the next chunk; for a new attempt, delete the bytes of earlier ones."""
        if sent.start == 0:
            if self.place.attempt > 1:
                await self.store.delete(self.place.key, before=self.place.attempt)
            return
        if self.offset % CHUNK:
            self._tail = self.place.tail(self.offset)
            try:
                self._buffer += await self.store.get(self._tail)
            except MissingBytesError:
                await self._fail_with_conflict()

    async def _timed(self, body: Body) -> Body:
        """Yield the parts of the body. Raise `upload_stalled` for one that stops or is too slow."""
        waited, received_bytes = 0.0, 0
        while True:
            since = time.monotonic()
            try:
                async with asyncio.timeout(self.idle_seconds):
                    part = await anext(body, None)
            except TimeoutError:
                raise Problem(UPLOAD_STALLED) from None
            except asyncio.CancelledError:  # by a shutdown
                await asyncio.shield(self._keep())
                raise
            if part is None:
                return
            now = time.monotonic()
            waited, received_bytes = waited + now - since, received_bytes + len(part)
            if waited > self.idle_seconds:
                if received_bytes < SLOWEST * self.idle_seconds:
                    raise Problem(UPLOAD_STALLED)
                waited, received_bytes = 0.0, 0
            if now - self._renewed > RENEWED_AFTER:
                await self._update()
            yield part

    async def _add(self, part: bytes) -> None:
        self.offset += len(part)
        rest = memoryview(part)
        while rest:
            room = CHUNK - len(self._buffer)
            self._buffer += rest[:room]
            rest = rest[room:]
            if len(self._buffer) == CHUNK:
                stored = self.offset - len(rest)
                await self._put(self.place.chunk((stored - 1) // CHUNK))
                if stored < self.size:  # the last one is recorded once all is checked
                    await self._update(received=stored)
                    await self._replace_tail()

    async def _put(self, name: str) -> None:
        try:
            is_stored = await self.store.put(name, bytes(self._buffer))
        finally:
            self._buffer.clear()
        if not is_stored:
            await self._fail_with_conflict()

    async def _replace_tail(self, tail: str | None = None) -> None:
        former, self._tail = self._tail, tail
        if former is not None and former != tail:
            with suppress(Problem):  # the sweep deletes it
                await self.store.remove([former])

    async def _keep(self) -> None:
        """Store the incomplete chunk, to resume from it later."""
        if self.offset >= self.size:  # not checked, so not to be taken for complete
            return
        tail = self.place.tail(self.offset) if self._buffer else None
        if tail is not None and tail != self._tail:
            await self._put(tail)
        await self._update(received=self.offset)
        await self._replace_tail(tail)

    async def _fail_with_conflict(self) -> NoReturn:
        """Raise `conflict`: the stored bytes are not as expected, since a late writer has written some."""
        await self._discard()
        raise Problem(CONFLICT, "Other bytes have been sent meanwhile: start again.", offset=0)

    async def _discard(self) -> None:
        await self._update(received=0)
        with suppress(Problem):  # the sweep deletes them
            await self.store.delete(self.place.key, before=self.place.attempt + 1)

    async def _finish(self, digest: str | None) -> None:
        """Check the whole file. Discard it and raise `validation_failed` if it is not as announced."""
        if self._buffer:
            await self._put(self.place.chunk(self.offset // CHUNK))
        try:
            actual = digest or await self._hashed()
            head = b"".join([part async for part in self.store.read(self.place, 0, min(HEAD, self.offset))])
            check_type(self.media_type, head)
            if self.sha256 is not None and actual != self.sha256:
                raise Problem.field("sha256", "conflict", "The bytes have another SHA-256.")
        except MissingBytesError:
            await self._fail_with_conflict()
        except Problem as problem:
            if problem.type is VALIDATION_FAILED:
                await self._discard()
            raise
        await self._update(received=self.offset, size=self.offset, sha256=actual, checked_at=utc_now())
        await self._replace_tail()

    async def _hashed(self) -> str:
        digest = sha256()
        async for part in self.store.read(self.place, 0, self.offset):
            digest.update(part)
            if time.monotonic() - self._renewed > RENEWED_AFTER:
                await self._update()
        return digest.hexdigest()

    async def _update(self, **values: Any) -> None:
        """Update the row and renew the lease. Raise `conflict` if the lease is lost or the file has been deleted."""
        statement = update(File).where(File.id == self.place.key, File.lease == self.lease)
        statement = statement.values(leased_until=utc_now() + lease_of(self.idle_seconds), **values)
        async with self.gateway.unit_of_work(ANONYMOUS) as call:
            row = (await call.session.execute(statement.returning(File.id))).first()
        if row is None:
            raise Problem(CONFLICT, "The file has been deleted, or is being sent by another request.")
        self._renewed = time.monotonic()


def lease_of(idle_seconds: float) -> timedelta:
    """Return the duration of a lease: longer than its holder may wait for the caller and then for the store."""
    return timedelta(seconds=idle_seconds + STORE_SECONDS + RENEWED_AFTER)


async def received(gateway: Gateway, key: UUID, sent: UploadRange, body: Body, *, exact: bool = True) -> int:
    """Receive bytes of a file, excluding other uploads of it. Return the number of bytes stored.

    Raise `not_found`, `conflict` if it is complete or being sent, `range_not_satisfiable` if the range does not start
    at the end of the stored bytes, `validation_failed` if the sizes differ, and the Problems of `UploadSlots.slot` and
    of `Upload.take`.
    """
    lease = uuid4()
    with ExitStack() as held:
        async with gateway.unit_of_work(ANONYMOUS) as call:
            locked = select(File).where(File.id == key).with_for_update()
            row = (await call.session.execute(locked)).scalar_one_or_none()
            if row is None:
                raise Problem(NOT_FOUND)
            _check_acceptable(row, sent)
            held.enter_context(gateway.part(UploadSlots).slot(row.user_id))
            if sent.start == 0:
                row.received, row.attempt = 0, row.attempt + 1
            upload = Upload(
                gateway, Place(key, row.attempt), row.size, row.media_type, row.sha256, lease, exact, row.received
            )
            row.lease, row.leased_until = lease, utc_now() + lease_of(upload.idle_seconds)
        try:
            return await upload.take(body, sent)
        finally:
            # Also if the caller has disconnected: the upload can be resumed at once.
            await asyncio.shield(_release(gateway, key, lease))


def _check_acceptable(row: File, sent: UploadRange) -> None:
    if row.state is FileState.COMPLETE or row.checked_at is not None:
        raise Problem(CONFLICT, "The file has been sent already.")
    left = row.leased_until - utc_now() if row.lease is not None and row.leased_until is not None else timedelta()
    if left > timedelta():
        raise Problem(CONFLICT, "The file is being sent already.", retry_after=ceil(left.total_seconds()))
    if sent.size is not None and sent.size != row.size:
        raise Problem.field("size", "conflict", f"The file was announced with {row.size} bytes.")
    if sent.start not in (0, row.received) or (sent.end is not None and sent.end > row.size):
        raise Problem(RANGE_NOT_SATISFIABLE, content_range=f"bytes */{row.size}", offset=row.received)


async def _release(gateway: Gateway, key: UUID, lease: UUID) -> None:
    async with gateway.unit_of_work(ANONYMOUS) as call:
        held = update(File).where(File.id == key, File.lease == lease)
        await call.session.execute(held.values(lease=None, leased_until=None))
