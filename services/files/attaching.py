"""Attaching files to rows of other resources, by association tables with `file_id` and `workspace_id`."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete  # noqa: TID251 - associations of one row, which the caller may change
from sqlalchemy.dialects.postgresql import insert

from services.catalogue import Call, Problem
from services.files.models import File, FileState
from services.files.resource import files
from services.storage.base import Base
from services.storage.constraints import NOT_THERE
from services.storage.rows import select_readable


async def attach(call: Call, through: type[Base], row: Mapping[str, UUID], workspace_id: UUID, file_id: UUID) -> bool:
    """Attach a file to the row with these key columns. Return whether it was not attached before. Two statements.

    Raise `validation_failed` naming `file_id` for a file of another workspace, or one that is not complete.
    """
    conditions = File.id == file_id, File.workspace_id == workspace_id, File.state == FileState.COMPLETE
    if not await select_readable(call, files, *conditions, lock=True):
        raise Problem.field("file_id", "not_found", NOT_THERE)
    pair = insert(through).values(**row, file_id=file_id, workspace_id=workspace_id).on_conflict_do_nothing()
    return (await call.session.execute(pair.returning(through.__table__.c.file_id))).first() is not None


async def detach(call: Call, through: type[Base], row: Mapping[str, UUID], file_id: UUID) -> bool:
    """Detach a file. Return whether it was attached. One statement."""
    columns = through.__table__.c
    pair = delete(through).where(columns.file_id == file_id, *(columns[name] == key for name, key in row.items()))
    return (await call.session.execute(pair.returning(columns.file_id))).first() is not None
