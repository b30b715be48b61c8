"""Avatars of users, readable by everyone who can read the user, whatever workspace the file belongs to."""

from __future__ import annotations

from services.catalogue import Call, Problem
from services.files.models import File, FileState
from services.files.resource import files
from services.files.schemas import AvatarInput
from services.files.sniffing import INLINE
from services.identity.users.models import User
from services.storage.constraints import NOT_THERE
from services.storage.rows import readable


async def put_avatar(call: Call, user: User, data: AvatarInput) -> None:
    """Set or clear the avatar of a user. One statement.

    Setting it publishes the file, so users may do it only with their own file and for themselves. Raise
    `validation_failed` naming `file_id`.
    """
    if data.file_id is None:
        user.avatar_id = None
        return
    own = File.user_id == user.id, File.user_id == call.user_id
    rows = await readable(call, files, File.id == data.file_id, File.state == FileState.COMPLETE, *own, lock=True)
    if not rows:
        raise Problem.field("file_id", "not_found", NOT_THERE)
    if rows[0].media_type not in INLINE:
        raise Problem.field("file_id", "conflict", f"This is no picture, but {rows[0].media_type}.")
    user.avatar_id = data.file_id
