"""The bytes of a file on their way in: chunk by chunk into the store, counted, hashed, and checked at the end.

There is one upload of a file at a time: it holds a lease in the row, which it renews while it goes on, so that a lease
whose process has died ends by itself. No transaction is open while bytes are awaited.

A writer that has lost its lease without knowing it spoils nothing: whoever begins anew puts what they send where nobody
else does, and no object is written over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any, Final, NoReturn
from uuid import UUID, uuid4

from sqlalchemy import select, update  # noqa: TID251 - whoever holds a link may send, whatever they may read

from services.catalogue import Call, Problem
from services.catalogue.problems import (
    CONFLICT,
    NOT_FOUND,
    RANGE_NOT_SATISFIABLE,
    UNAVAILABLE,
    UPLOAD_STALLED,
    VALIDATION_FAILED,
)  # fmt: skip
from services.files.config import FilesConfig
from services.files.models import File, FileState
from services.files.slots import UploadSlots
from services.files.sniffing import HEAD, check_type
from services.files.store import CHUNK, STORE_SECONDS, FileStore, MissingBytesError, Place
from services.storage.base import utc_now

RENEWED_AFTER: Final = 15.0
"""Seconds after which a lease is renewed."""
SLOWEST: Final = 512
"""Bytes a second: what comes slower counts as nothing."""

Opener = Callable[[], AbstractAsyncContextManager[Call]]
Body = AsyncIterator[bytes]


class InterruptedUploadError(Exception):
    """Nothing more comes, as whoever was sending is gone, say: raised by the body. What has come is kept."""


class StoppedUploadError(InterruptedUploadError):
    """Nothing more is taken, as the process is about to end."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What of the file a request says it sends: from `start` to before `end`. `size` is that of the file."""

    start: int = 0
    end: int | None = None
    size: int | None = None


@dataclass
class Upload:
    """One upload under way. `exact`: the row's size is that of the file, not the most it may have."""

    store: FileStore
    unit_of_work: Opener
    idle_seconds: float
    place: Place
    size: int
    media_type: str
    sha256: str | None
    lease: UUID
    exact: bool = True
    offset: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _tail: str | None = None
    """Where the beginning of the next chunk is, if it is in the store."""
    _renewed: float = field(default_factory=time.monotonic)

    async def take(self, body: Body, sent: Sent) -> int:
        """Take a body in; returns how far the file has come. Raises Problems; what it can go on with is kept."""
        await self._begin(sent)
        digest = sha256() if self.offset == 0 else None
        end = self.size if sent.end is None else sent.end
        try:
            async for part in self._awaited(body):
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
                await self._forget()
            raise
        if self.offset < end and (sent.end is not None or self.exact):
            await self._keep()
            raise Problem.field("size", "range", f"There are only {self.offset - sent.start} bytes.")
        if self.offset < self.size and self.exact:
            await self._keep()
        else:
            await self._finish(digest.hexdigest() if digest is not None else None)
        return self.offset

    async def _begin(self, sent: Sent) -> None:
        """Find what is there of the next chunk, or throw away what came before one that begins anew."""
        if sent.start == 0:
            if self.place.attempt > 1:
                await self.store.delete(self.place.key, before=self.place.attempt)
            return
        if self.offset % CHUNK:
            self._tail = self.place.tail(self.offset)
            try:
                self._buffer += await self.store.get(self._tail)
            except MissingBytesError:
                await self._lost()

    async def _awaited(self, body: Body) -> Body:
        """The parts of the body. Raises `upload_stalled` for one that comes too slowly, too."""
        waited, come = 0.0, 0
        while True:
            since = time.monotonic()
            try:
                async with asyncio.timeout(self.idle_seconds):
                    part = await anext(body)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Problem(UPLOAD_STALLED) from None
            except asyncio.CancelledError:  # the process ends
                await asyncio.shield(self._keep())
                raise
            now = time.monotonic()
            waited, come = waited + now - since, come + len(part)
            if waited > self.idle_seconds:
                if come < SLOWEST * self.idle_seconds:
                    raise Problem(UPLOAD_STALLED)
                waited, come = 0.0, 0
            if now - self._renewed > RENEWED_AFTER:
                await self._changed()
            yield part

    async def _add(self, part: bytes) -> None:
        self.offset += len(part)
        rest = memoryview(part)
        while rest:
            room = CHUNK - len(self._buffer)
            self._buffer += rest[:room]
            rest = rest[room:]
            if len(self._buffer) == CHUNK:
                kept = self.offset - len(rest)
                await self._put(self.place.chunk((kept - 1) // CHUNK))
                if kept < self.size:  # the row says that all is there once all is checked
                    await self._kept(kept)

    async def _put(self, name: str) -> None:
        try:
            is_ours = await self.store.put(name, bytes(self._buffer))
        finally:
            self._buffer.clear()
        if not is_ours:
            await self._lost()

    async def _kept(self, offset: int, tail: str | None = None) -> None:
        """Write how far the file has come; what there was of a chunk that is whole by now is not needed any more."""
        await self._changed(received=offset)
        await self._drop(tail)

    async def _drop(self, tail: str | None = None) -> None:
        before, self._tail = self._tail, tail
        if before is not None and before != tail:
            with suppress(Problem):  # it is swept
                await self.store.remove([before])

    async def _keep(self) -> None:
        """Keep what is not a whole chunk yet, to go on from it later."""
        if self.offset >= self.size:  # not checked, so not to be taken for complete
            return
        tail = self.place.tail(self.offset) if self._buffer else None
        if tail is not None and tail != self._tail:
            await self._put(tail)
        await self._kept(self.offset, tail)

    async def _lost(self) -> NoReturn:
        """Raises `conflict`: what is in the store is not what it should be, as somebody who is late has written it."""
        await self._forget()
        raise Problem(CONFLICT, "Other bytes have come meanwhile: begin anew.", offset=0)

    async def _forget(self) -> None:
        """Begin anew next time."""
        await self._changed(received=0)
        with suppress(Problem):  # it is swept
            await self.store.delete(self.place.key, before=self.place.attempt + 1)

    async def _finish(self, digest: str | None) -> None:
        """Check all that has come. Raises `validation_failed`, and forgets it then."""
        if self._buffer:
            await self._put(self.place.chunk(self.offset // CHUNK))
        try:
            found = digest or await self._hashed()
            check_type(self.media_type, await self._beginning())
            if self.sha256 is not None and found != self.sha256:
                raise Problem.field("sha256", "conflict", "The bytes have another SHA-256.")
        except MissingBytesError:
            await self._lost()
        except Problem as problem:
            if problem.type is VALIDATION_FAILED:
                await self._forget()
            raise
        await self._changed(received=self.offset, size=self.offset, sha256=found, checked_at=utc_now())
        await self._drop()

    async def _hashed(self) -> str:
        digest = sha256()
        async for part in self.store.read(self.place, 0, self.offset):
            digest.update(part)
            if time.monotonic() - self._renewed > RENEWED_AFTER:
                await self._changed()
        return digest.hexdigest()

    async def _beginning(self) -> bytes:
        return b"".join([part async for part in self.store.read(self.place, 0, min(HEAD, self.offset))])

    async def _changed(self, **values: Any) -> None:
        """Write the row, and renew the lease. Raises `conflict` when it is lost, or the file has been deleted."""
        mine = update(File).where(File.id == self.place.key, File.lease == self.lease)
        async with self.unit_of_work() as call:
            changed = await call.session.execute(
                mine.values(leased_until=utc_now() + lease_of(self.idle_seconds), **values).returning(File.id)
            )
            found = changed.first()
        if found is None:
            raise Problem(CONFLICT, "The file has been deleted, or somebody else sends it.")
        self._renewed = time.monotonic()


def lease_of(idle_seconds: float) -> timedelta:
    """How long a lease is good: longer than its holder may wait for the caller and then for the store."""
    return timedelta(seconds=idle_seconds + STORE_SECONDS + RENEWED_AFTER)


@asynccontextmanager
async def uploading(
    parts: Mapping[type, Any], unit_of_work: Opener, key: UUID, sent: Sent, *, exact: bool = True
) -> AsyncIterator[Upload]:
    """An upload of a file, which nobody else can send meanwhile.

    Raises `not_found`, `conflict` when it is complete or being sent, `range_not_satisfiable` when it does not go on
    where it has ended, `validation_failed` when the sizes differ, and as `UploadSlots.slot`.
    """
    store, lease, idle_seconds = parts[FileStore], uuid4(), parts[FilesConfig].idle_seconds
    with ExitStack() as held:
        async with unit_of_work() as call:
            of_key = select(File).where(File.id == key).with_for_update()
            row = (await call.session.execute(of_key)).scalar_one_or_none()
            if row is None:
                raise Problem(NOT_FOUND)
            _check(row, sent)
            held.enter_context(parts[UploadSlots].slot(row.user_id))
            row.lease, row.leased_until = lease, utc_now() + lease_of(idle_seconds)
            if sent.start == 0:
                row.received, row.attempt = 0, row.attempt + 1
            upload = Upload(
                store, unit_of_work, idle_seconds, Place(key, row.attempt), row.size, row.media_type, row.sha256,
                lease, exact, row.received,
            )  # fmt: skip
        try:
            yield upload
        finally:
            # Be the caller gone or not: what they have sent can be gone on with at once.
            await asyncio.shield(_release(unit_of_work, key, lease))


def _check(row: File, sent: Sent) -> None:
    if row.state is FileState.COMPLETE or row.checked_at is not None:
        raise Problem(CONFLICT, "The file has been sent already.")
    left = row.leased_until - utc_now() if row.lease is not None and row.leased_until is not None else timedelta()
    if left > timedelta():
        raise Problem(CONFLICT, "The file is being sent already.", retry_after=ceil(left.total_seconds()))
    if sent.size is not None and sent.size != row.size:
        raise Problem.field("size", "conflict", f"The file was announced with {row.size} bytes.")
    if sent.start not in (0, row.received) or (sent.end is not None and sent.end > row.size):
        raise Problem(RANGE_NOT_SATISFIABLE, content_range=f"bytes */{row.size}", offset=row.received)


async def _release(unit_of_work: Opener, key: UUID, lease: UUID) -> None:
    async with unit_of_work() as call:
        mine = update(File).where(File.id == key, File.lease == lease)
        await call.session.execute(mine.values(lease=None, leased_until=None))


async def received(
    parts: Mapping[type, Any], unit_of_work: Opener, key: UUID, sent: Sent, body: Body, *, exact: bool = True
) -> int:  # fmt: skip
    """Take in bytes of a file; returns how far it has come. Raises as `uploading` and `Upload.take`.

    `exact`: the size that was announced is that of the file, not the most it may have.
    """
    async with uploading(parts, unit_of_work, key, sent, exact=exact) as upload:
        return await upload.take(body, sent)
