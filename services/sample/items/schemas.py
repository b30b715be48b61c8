from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.catalogue import Identifier, InputModel, Instant, ReadModel, absent
from services.files.schemas import FileID
from services.identity.users.schemas import UserID
from services.identity.workspaces.schemas import WorkspaceID
from services.sample.items.models import ItemStatus
from services.sample.labels.schemas import LabelID

ItemID = Annotated[UUID, Identifier("itm")]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    Field(description="A short title.", examples=["Order the brass wheels"]),
]
Description = Annotated[str, StringConstraints(max_length=20_000), Field(description="The details.")]
Priority = Annotated[int, Field(ge=0, le=4, description="From 0 (none) to 4 (urgent).", examples=[2])]
DueAt = Annotated[Instant, Field(description="When it should be done.", examples=["2030-01-31T12:00:00Z"])]
LabelIDs = Annotated[list[LabelID], Field(max_length=50, description="Labels to attach, of the same workspace.")]


class ItemRead(ReadModel):
    """An item as the workspace's members see it."""

    id: ItemID
    workspace_id: WorkspaceID = Field(description="The workspace it belongs to.")
    title: str = Field(description="A short title.")
    description: str | None = Field(description="The details.")
    status: ItemStatus = Field(description="The state of the item.")
    priority: int = Field(description="From 0 (none) to 4 (urgent).")
    due_at: Instant | None = Field(description="When it should be done.")
    creator_id: UserID = Field(description="The user who created it.")
    assignee_id: UserID | None = Field(description="The user who is to do it.")
    parent_id: ItemID | None = Field(description="The item it is a part of.")
    version: int = Field(
        description="The number of writes, for comparison and display. For conditional writes use the row's entity tag "
        "instead: in GraphQL `etag`, for `expectedVersion`; in REST the header `ETag`, for `If-Match`."
    )
    created_at: Instant = Field(description="When it was created.")
    updated_at: Instant = Field(description="When it was last changed.")


class ItemCreate(InputModel):
    """A new item."""

    workspace_id: WorkspaceID | None = Field(
        default=None, description="The workspace it belongs to; the personal one if left out."
    )
    title: Title
    description: Description | None = None
    status: ItemStatus = Field(default=ItemStatus.OPEN, description="The state of the item.")
    priority: Priority = 0
    due_at: DueAt | None = None
    assignee_id: UserID | None = Field(default=None, description="The user who is to do it; a member of the workspace.")
    parent_id: ItemID | None = Field(default=None, description="The item it is a part of, of the same workspace.")
    label_ids: LabelIDs = Field(default=[])


class ItemUpdate(InputModel):
    """Changes to an item; what is left out stays."""

    title: Title = absent()
    description: Description | None = absent()
    status: ItemStatus = absent("The state of the item.")
    priority: Priority = absent()
    due_at: DueAt | None = absent()
    assignee_id: UserID | None = absent("The user who is to do it; a member of the workspace.")
    parent_id: ItemID | None = absent("The item it is a part of, of the same workspace.")


class ItemLabelInput(InputModel):
    """Which label to attach or detach."""

    label_id: LabelID = Field(description="A label of the item's workspace.")


class ItemFileInput(InputModel):
    """Which file to attach or detach."""

    file_id: FileID = Field(description="A complete file of the item's workspace.")
