"""Operations on files. Bytes are transferred by hand-written routes (rest/files/content.py)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select  # noqa: TID251 - all files of a workspace count, readable or not

from services.catalogue import Call, HandWritten, Problem, new_key
from services.catalogue.problems import CONFLICT, NOT_FOUND
from services.files.config import FilesConfig
from services.files.jobs import GoneFile, delete_file_bytes
from services.files.links import FileLinks
from services.files.models import File, FileState
from services.files.resource import files
from services.files.schemas import AvatarInput, FileCreate, FileLink, FileUpload
from services.files.sniffing import INLINE
from services.identity.users.models import User
from services.identity.users.resource import users
from services.identity.workspaces.operations import lock_workspace, usual_workspace_id
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.cascades import Cascades
from services.storage.constraints import NOT_THERE
from services.storage.rows import check_placed, select_readable

content = HandWritten(
    "rest", "GET, HEAD, PUT /files/{id}/content", "Bytes are streamed, by credentials or a signed link."
)
form = HandWritten(
    "rest", "POST /files (multipart/form-data)", "A file in one request (RFC 7578), streamed; JSON works too."
)
upload = HandWritten(
    "graphql", "uploadFile (multipart/form-data)",
    "A file in one request, where GRAPHQL_UPLOADS is on: no JSON carries an `Upload`. What REST's form does.",
)  # fmt: skip

list_files, get_file = files.list(), files.get()


async def _delete_bytes(call: Call, row: File) -> None:
    await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=row.id))


delete_file = files.delete(before=_delete_bytes, statements=1 + STATEMENTS)


@files.create(statements=5)
async def create_file(call: Call, data: FileCreate) -> FileUpload:
    """Announce a file. Send its bytes to `upload_url` afterwards, then complete it."""
    config = call.part(FilesConfig)
    if data.size > config.max_bytes:
        raise Problem.field("size", "range", f"A file may have at most {config.max_bytes} bytes.")
    workspace_id = data.workspace_id or await usual_workspace_id(call)
    file = File(
        id=new_key(), workspace_id=workspace_id, user_id=call.user_id, name=data.name, size=data.size,
        sha256=data.sha256, media_type=data.media_type, created_at=call.now,
    )  # fmt: skip
    call.session.add(file)
    await check_placed(call, files, file)
    await _check_quota(call, workspace_id, config)
    expires_at = call.now + config.pending_lifetime
    link = call.part(FileLinks).make(files.encode(file.id), file.id, "PUT", expires_at)
    return FileUpload(id=file.id, upload_url=link, expires_at=expires_at)


async def _check_quota(call: Call, workspace_id: UUID, config: FilesConfig) -> None:
    """Raise `validation_failed` if the total size of the workspace's files, pending ones included, exceeds the quota.

    The workspace is locked, so that two files can't both take the remaining space.
    """
    await lock_workspace(call, workspace_id)
    total = select(func.coalesce(func.sum(File.size), 0)).where(File.workspace_id == workspace_id)
    if (await call.session.execute(total)).scalar_one() > config.quota_bytes:
        raise Problem.field("size", "quota", f"The files of a workspace may have {config.quota_bytes} bytes together.")


@files.action("complete", emits="file.completed")
async def complete_file(call: Call, row: File) -> File:
    """Make a file readable, once all of its bytes have been sent. Completing it again changes nothing."""
    if row.state is FileState.COMPLETE:
        return row
    if row.checked_at is None:
        if row.received == row.size:  # an empty file must be sent as well, to be checked
            raise Problem(CONFLICT, "Its bytes, of which there are none, have not been sent yet: PUT an empty body.")
        raise Problem(CONFLICT, f"Only {row.received} of {row.size} bytes are there.")
    row.state, row.completed_at = FileState.COMPLETE, call.now
    return row


@files.action("link", scope="files:read", emits=(), audited=False)
async def link_file(call: Call, row: File) -> FileLink:
    """Get a link to the bytes of a file, usable for a while without other credentials, as in `<img>`."""
    if row.state is not FileState.COMPLETE:
        raise Problem(CONFLICT, "The file is not complete.")
    expires_at = call.now + call.part(FilesConfig).link_lifetime
    return FileLink(
        url=call.part(FileLinks).make(files.encode(row.id), row.id, "GET", expires_at), expires_at=expires_at
    )


@users.action("set_avatar", address="users/{id}/avatar", emits="user.avatar_set", statements=2)
async def set_avatar(call: Call, row: User, data: AvatarInput) -> User:
    """Set one's picture to an uploaded file, or clear it with null. Everyone who can read the user can read it."""
    if data.file_id is not None:
        # This publishes the file, so users may do it only with a file of their own, and for themselves.
        own = File.user_id == row.id, File.user_id == call.user_id
        rows = await select_readable(
            call, files, File.id == data.file_id, File.state == FileState.COMPLETE, *own, lock=True
        )
        if not rows:
            raise Problem.field("file_id", "not_found", NOT_THERE)
        if rows[0].media_type not in INLINE:
            raise Problem.field("file_id", "conflict", f"This is no picture, but {rows[0].media_type}.")
    row.avatar_id = data.file_id
    return row


async def forget_file(call: Call, key: UUID) -> File | None:
    """Delete a file that is not complete. Return its former row; None if there is none."""
    pending = select(File).where(File.id == key, File.state == FileState.PENDING).with_for_update()
    row = (await call.session.execute(pending)).scalar_one_or_none()
    if row is not None:
        await call.part(Cascades).delete(call.session, File, [key])
        await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=key))
    return row


async def linked_file(call: Call, key: UUID) -> File:
    """Return the file of a signed link, whose holder need not be able to read the row. Raise `not_found`."""
    row = await call.session.get(File, key)
    if row is None:
        raise Problem(NOT_FOUND)
    return row
