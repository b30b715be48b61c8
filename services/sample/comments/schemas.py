from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.catalogue import Identifier, InputModel, Instant, ReadModel, absent
from services.files.schemas import FileID
from services.identity.users.schemas import UserID
from services.sample.items.schemas import ItemID

CommentID = Annotated[UUID, Identifier("cmt")]
Body = Annotated[
    str,
    StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True),
    Field(description="The text.", examples=["They will arrive on Monday."]),
]


class CommentRead(ReadModel):
    """A comment as the workspace's members see it."""

    id: CommentID
    item_id: ItemID = Field(description="The item it is about.")
    author_id: UserID = Field(description="The user who wrote it.")
    body: str = Field(description="The text.")
    created_at: Instant = Field(description="When it was written.")
    updated_at: Instant = Field(description="When it was last changed.")


class CommentCreate(InputModel):
    """A new comment."""

    item_id: ItemID = Field(description="The item it is about.")
    body: Body


class CommentUpdate(InputModel):
    """The new text of a comment."""

    body: Body = absent()


class CommentFileInput(InputModel):
    """Which file to attach or detach."""

    file_id: FileID = Field(description="A complete file of the comment's workspace.")
