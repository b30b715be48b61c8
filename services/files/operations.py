"""What can be done with files. Their bytes go in and out by routes of their own (rest/files/content.py)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select  # noqa: TID251 - all files of a workspace count, whoever may see them

from services.catalogue import Call, Problem, Seam, new_key
from services.catalogue.problems import CONFLICT, NOT_FOUND
from services.files.avatars import put_avatar
from services.files.config import FilesConfig
from services.files.jobs import GoneFile, delete_file_bytes
from services.files.links import FileLinks
from services.files.models import File, FileState
from services.files.resource import files
from services.files.schemas import AvatarInput, FileCreate, FileLink, FileUpload
from services.identity.users.models import User
from services.identity.users.resource import users
from services.identity.workspaces.operations import lock_workspace, usual_workspace_id
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.cascades import Cascades
from services.storage.rows import check_placed

content = Seam("rest", "GET, HEAD, PUT /files/{id}/content", "Bytes are streamed, by credentials or a signed link.")
form = Seam("rest", "POST /files (multipart/form-data)", "A file in one request (RFC 7578), streamed; JSON works too.")
upload = Seam(
    "graphql", "uploadFile (multipart/form-data)",
    "A file in one request, where GRAPHQL_UPLOADS is on: no JSON carries an `Upload`. What REST's form does.",
)  # fmt: skip

list_files, get_file = files.list(), files.get()


async def _delete_bytes(call: Call, row: File) -> None:
    await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=row.id))


delete_file = files.delete(before=_delete_bytes, statements=1 + STATEMENTS)


@files.create(statements=5)
async def create_file(call: Call, data: FileCreate) -> FileUpload:
    """Announce a file: its bytes are to be sent to `upload_url`, and then it is to be completed."""
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
    """Raises `validation_failed` when the files of the workspace are too large together, pending ones included.

    The workspace is locked, so that two files can't both take the last place.
    """
    await lock_workspace(call, workspace_id)
    total = select(func.coalesce(func.sum(File.size), 0)).where(File.workspace_id == workspace_id)
    if (await call.session.execute(total)).scalar_one() > config.quota_bytes:
        raise Problem.field("size", "quota", f"The files of a workspace may have {config.quota_bytes} bytes together.")


@files.action("complete", emits="file.completed")
async def complete_file(call: Call, row: File) -> File:
    """Make a file readable all of whose bytes have been sent. Completing it again changes nothing."""
    if row.state is FileState.COMPLETE:
        return row
    if row.checked_at is None:
        raise Problem(CONFLICT, _missing(row))
    row.state, row.completed_at = FileState.COMPLETE, call.now
    return row


def _missing(row: File) -> str:
    """What keeps a file from being complete. One of no bytes has to be sent as well: only then is it checked."""
    if row.received == row.size:
        return "Its bytes, of which there are none, have not been sent yet: PUT an empty body."
    return f"Only {row.received} of {row.size} bytes are there."


@files.action("link", scope="files:read", emits=(), audited=False)
async def link_file(call: Call, row: File) -> FileLink:
    """Get a link to the bytes of a file that is good for a while without other credentials, as for `<img>`."""
    if row.state is not FileState.COMPLETE:
        raise Problem(CONFLICT, "The file is not complete.")
    expires_at = call.now + call.part(FilesConfig).link_lifetime
    return FileLink(
        url=call.part(FileLinks).make(files.encode(row.id), row.id, "GET", expires_at), expires_at=expires_at
    )


@users.action("set_avatar", address="users/{id}/avatar", emits="user.avatar_set", statements=2)
async def set_avatar(call: Call, row: User, data: AvatarInput) -> User:
    """Give oneself a picture that one has uploaded, or, with null, none. Whoever sees the user may fetch it."""
    await put_avatar(call, row, data)
    return row


async def forget_file(call: Call, key: UUID) -> File | None:
    """Delete a file that is not complete, and return what it was; None where there is none."""
    pending = select(File).where(File.id == key, File.state == FileState.PENDING).with_for_update()
    row = (await call.session.execute(pending)).scalar_one_or_none()
    if row is not None:
        await call.part(Cascades).delete(call.session, File, [key])
        await enqueue(call, delete_file_bytes, GoneFile.model_construct(file_id=key))
    return row


async def linked_file(call: Call, key: UUID) -> File:
    """The file that a signed link is about: whoever has it need not be able to read the row. Raises `not_found`."""
    row = (await call.session.execute(select(File).where(File.id == key))).scalar_one_or_none()
    if row is None:
        raise Problem(NOT_FOUND)
    return row
