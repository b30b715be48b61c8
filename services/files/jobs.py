"""What is done with the bytes of files after the answer, and by the clock."""

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
"""Files that are forgotten at once."""
COMPLETED_WITHIN: Final = timedelta(hours=1)
"""How long a file all of whose bytes have come at the last moment waits to be completed."""
ORPHANED_AFTER: Final = timedelta(days=1)
"""How old bytes without a row are that are deleted: what a file is being made of is younger."""


class GoneFile(InputModel):
    """A file whose row is gone."""

    file_id: FileID


@job("delete_file_bytes", retries=10, timeout=300)
async def delete_file_bytes(work: Work, data: GoneFile) -> None:
    """Delete the bytes of a file whose row is gone."""
    await work.part(FileStore).delete(data.file_id)


@job("forget_pending_files", cron="23 * * * *", timeout=3600)
async def forget_pending_files(work: Work) -> None:
    """Delete the rows of files that nobody has completed in time; their bytes go by jobs.

    Who is sending one at that moment may end it, within the same time once more, and complete it within an hour.
    """
    lifetime = work.part(FilesConfig).pending_lifetime
    before = work.now - lifetime
    is_free = or_(File.lease.is_(None), File.leased_until < work.now)
    is_left = or_(File.checked_at.is_(None), File.checked_at < work.now - COMPLETED_WITHIN)
    given_up = or_(and_(is_free, is_left), File.created_at < before - lifetime)
    late = select(File.id).where(File.state == FileState.PENDING, File.created_at < before, given_up)
    late = late.limit(SWEPT).with_for_update(skip_locked=True)
    while True:
        async with work.unit_of_work() as call:
            keys = (await call.session.execute(late)).scalars().all()
            await work.part(Cascades).delete(call.session, File, keys)
            for key in keys:
                await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=key))
        if not keys:
            return


@job("sweep_files", cron="41 3 * * *", timeout=3600)
async def sweep_files(work: Work) -> None:
    """Delete bytes that belong to no file, a day after they were written."""
    store, before = work.part(FileStore), work.now - ORPHANED_AFTER
    async for found in store.old(before):
        keys = {each.key for each in found}
        async with work.unit_of_work() as call:
            rows = (await call.session.execute(select(File).where(File.id.in_(keys)))).scalars()
            known = {row.id: row for row in rows}
        await store.remove([each.name for each in found if _is_left(each, known.get(each.key))])
        store.tidy(keys - known.keys())
    await asyncio.to_thread(store.remove_unfinished, before)


def _is_left(found: Stored, row: File | None) -> bool:
    """Whether an object is none of its file's: of an attempt before, or behind the end of a complete one."""
    if row is None or found.attempt < row.attempt:
        return True
    return row.state is FileState.COMPLETE and (found.number is None or found.number * CHUNK >= row.size)
