from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from sqlalchemy import and_, or_, select  # noqa: TID251 - a worker is no caller

from services.catalogue import InputModel
from services.catalogue.jobs import Work, job
from services.files.config import FilesConfig
from services.files.models import File, FileState
from services.files.schemas import FileID
from services.files.store import CHUNK, FileStore, Stored
from services.jobs.queue import enqueue
from services.storage.cascades import Cascades

SWEPT: Final = 500
COMPLETED_WITHIN: Final = timedelta(hours=1)
"""How long after receipt of its last byte a file may still be completed, past `pending_lifetime`."""
ORPHANED_AFTER: Final = timedelta(days=1)
"""Age at which bytes without a row are deleted; those of an upload in progress are younger."""


class GoneFile(InputModel):
    """A file whose row has been deleted."""

    file_id: FileID


@job("delete_file_bytes", retries=10, timeout=300)
async def delete_file_bytes(work: Work, data: GoneFile) -> None:
    """Delete the bytes of a file whose row has been deleted."""
    await work.part(FileStore).delete(data.file_id)


@job("forget_pending_files", cron="23 * * * *", timeout=3600)
async def forget_pending_files(work: Work) -> None:
    """Delete the rows of files that were not completed in time, and enqueue the deletion of their bytes.

    An upload in progress may be finished within the same time again, and its file completed within an hour.
    """
    lifetime = work.part(FilesConfig).pending_lifetime
    before = work.now - lifetime
    is_idle = or_(File.lease.is_(None), File.leased_until < work.now)
    is_incomplete = or_(File.checked_at.is_(None), File.checked_at < work.now - COMPLETED_WITHIN)
    is_abandoned = or_(and_(is_idle, is_incomplete), File.created_at < before - lifetime)
    expired = select(File.id).where(File.state == FileState.PENDING, File.created_at < before, is_abandoned)
    expired = expired.limit(SWEPT).with_for_update(skip_locked=True)
    while True:
        async with work.unit_of_work() as call:
            keys = (await call.session.execute(expired)).scalars().all()
            await work.part(Cascades).delete(call.session, File, keys)
            for key in keys:
                await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=key))
        if not keys:
            return


@job("sweep_files", cron="41 3 * * *", timeout=3600)
async def sweep_files(work: Work) -> None:
    """Delete stored objects that belong to no file, a day after they were written."""
    store, before = work.part(FileStore), work.now - ORPHANED_AFTER
    async for objects in store.old(before):
        keys = {stored.key for stored in objects}
        async with work.unit_of_work() as call:
            rows = (await call.session.execute(select(File).where(File.id.in_(keys)))).scalars()
            known = {row.id: row for row in rows}
        await store.remove([stored.name for stored in objects if _is_orphan(stored, known.get(stored.key))])
        for key in keys - known.keys():
            store.tidy(key)
    await asyncio.to_thread(store.remove_unfinished, before)


def _is_orphan(stored: Stored, row: File | None) -> bool:
    """Return whether an object belongs to no file, to an earlier attempt, or lies beyond the end of a complete file."""
    if row is None or stored.attempt < row.attempt:
        return True
    return row.state is FileState.COMPLETE and (stored.number is None or stored.number * CHUNK >= row.size)
