"""Avatars: pictures of users. Whoever sees the user may fetch the picture, whatever workspace it is in."""

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
    """Give a user this picture, or none. One statement.

    It becomes readable for everybody who sees the user, so nobody may do that with the file of somebody else, nor for
    somebody else. Raises `validation_failed` naming `file_id`.
    """
    if data.file_id is None:
        user.avatar_id = None
        return
    own = File.user_id == user.id, File.user_id == call.user_id
    found = await readable(call, files, File.id == data.file_id, File.state == FileState.COMPLETE, *own, lock=True)
    if not found:
        raise Problem.field("file_id", "not_found", NOT_THERE)
    if found[0].media_type not in INLINE:
        raise Problem.field("file_id", "conflict", f"This is no picture, but {found[0].media_type}.")
    user.avatar_id = data.file_id
