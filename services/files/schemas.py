from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.catalogue import Identifier, InputModel, Instant, Int32, ReadModel, ResultModel
from services.catalogue.scalars import INT32
from services.files.models import FileState
from services.identity.users.schemas import UserID
from services.identity.workspaces.schemas import WorkspaceID

FileID = Annotated[UUID, Identifier("fil")]

MAX_NAME_BYTES: Final = 255
_UNSAFE: Final = re.compile(r"[/\\]")
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: control and format characters, surrogates, line and paragraph separators.

Format characters have no width, or reverse the order of the following text, so that `gpj.exe` looks like a picture.
"""
_JOINERS: Final = {"\u200c", "\u200d"}
"""Format characters that Persian, the languages of India and emoji require."""
_BLANKS: Final = (
    " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    "\u115f\u1160\u2800\u3164\uffa0"
)
"""Spaces, and characters that look like spaces."""


def _safe(name: str) -> str:
    """Return the name without surrounding blanks and trailing dots, which Windows would drop."""
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise PydanticCustomError("name", "This name has more than 255 bytes.")
    if _UNSAFE.search(name):
        raise PydanticCustomError("name", "A name has no slashes and no backslashes.")
    if any(_is_hidden(name, index) for index in range(len(name))):
        raise PydanticCustomError("name", "This name has characters that cannot be seen.")
    name = name.lstrip(_BLANKS).rstrip(_BLANKS + ".")
    if not any(unicodedata.category(char)[0] in "LNPSC" and char not in _BLANKS for char in name):
        raise PydanticCustomError("name", "A name is more than dots and blanks.")
    return name


def _is_hidden(name: str, index: int) -> bool:
    if unicodedata.category(name[index]) not in _HIDDEN:
        return False
    is_inner_joiner = name[index] in _JOINERS and 0 < index < len(name) - 1
    return not (is_inner_joiner and _is_joinable(name[index - 1]) and _is_joinable(name[index + 1]))


def _is_joinable(character: str) -> bool:
    """Return whether a character may stand beside a joiner: letters, marks, and symbols that are not ASCII."""
    category = unicodedata.category(character)[0]
    return category in "LM" or (category == "S" and not character.isascii())


FileName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    AfterValidator(_safe),
    Field(
        description="The file's name: no path, at most 255 bytes, no invisible characters. Surrounding blanks and "
        "trailing dots are removed. Characters that only Windows forbids in a name are accepted.",
        examples=["engine.png"],
    ),
]
Size = Annotated[int, Field(ge=0, le=INT32[1], description="Its size in bytes.", examples=[70])]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Field(
        description="The SHA-256 of its bytes, in lower-case hexadecimal digits; not checked if left out.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
MediaType = Annotated[
    str,
    StringConstraints(max_length=127, pattern=r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$"),
    AfterValidator(str.lower),
    Field(description="Its media type, without parameters (RFC 6838); stored in lower case.", examples=["image/png"]),
]


class FileRead(ReadModel):
    """A file as the workspace's members see it."""

    id: FileID
    workspace_id: WorkspaceID = Field(description="The workspace it belongs to.")
    user_id: UserID = Field(description="The user who announced it.")
    name: str = Field(description="The file's name.")
    size: Int32 = Field(description="Its size in bytes.")
    sha256: str | None = Field(description="The SHA-256 of its bytes; null until it is known.")
    media_type: str = Field(description="Its media type.")
    state: FileState = Field(description="Whether it can be read yet.")
    created_at: Instant = Field(description="When it was announced.")
    completed_at: Instant | None = Field(description="When it became readable.")


class FileCreate(InputModel):
    """A file that is to be uploaded."""

    workspace_id: WorkspaceID | None = Field(
        default=None, description="The workspace it belongs to; the personal one if left out."
    )
    name: FileName
    size: Size
    sha256: Sha256 | None = None
    media_type: MediaType = "application/octet-stream"


class FileUpload(ResultModel):
    """A file that has been announced, and the URL for its bytes."""

    id: FileID = Field(description="The file's identifier.")
    upload_url: str = Field(
        description="PUT the bytes here; needs no other credentials. Relative to the gateway unless PUBLIC_URL is set."
    )
    expires_at: Instant = Field(description="When the file is deleted unless it is complete by then.")


class AvatarInput(InputModel):
    """The picture of a user."""

    file_id: FileID | None = Field(
        default=None,
        description="A complete PNG, JPEG, GIF, WebP or AVIF file that the user has announced; none if left out.",
    )


class FileLink(ResultModel):
    """A link to the bytes of a file."""

    url: str = Field(
        description="GET the bytes here; needs no other credentials. Relative to the gateway unless PUBLIC_URL is set."
    )
    expires_at: Instant = Field(description="When the link expires.")
