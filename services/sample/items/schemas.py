"""Items as they go in and out."""

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
    Field(description="What it is about.", examples=["Order the brass wheels"]),
]
Description = Annotated[str, StringConstraints(max_length=20_000), Field(description="The whole story.")]
Priority = Annotated[int, Field(ge=0, le=4, description="From 0 (none) to 4 (urgent).", examples=[2])]
DueAt = Annotated[Instant, Field(description="When it should be done.", examples=["2030-01-31T12:00:00Z"])]
LabelIDs = Annotated[list[LabelID], Field(max_length=50, description="Labels to attach, of the same workspace.")]


class ItemRead(ReadModel):
    """An item as the workspace's members see it."""

    id: ItemID
    workspace_id: WorkspaceID = Field(description="The workspace it belongs to.")
    title: str = Field(description="What it is about.")
    description: str | None = Field(description="The whole story.")
    status: ItemStatus = Field(description="How far it has come.")
    priority: int = Field(description="From 0 (none) to 4 (urgent).")
    due_at: Instant | None = Field(description="When it should be done.")
    creator_id: UserID = Field(description="Who made it.")
    assignee_id: UserID | None = Field(description="Who is to do it.")
    parent_id: ItemID | None = Field(description="The item it is a part of.")
    version: int = Field(
        description="How often it was written: a counter to compare and to show. A write that depends on what was read "
        "takes not this but the row's entity tag: in GraphQL `etag`, for `expectedVersion`; in REST the header `ETag`, "
        "for `If-Match`."
    )
    created_at: Instant = Field(description="When it was made.")
    updated_at: Instant = Field(description="When it was last changed.")


class ItemCreate(InputModel):
    """A new item."""

    workspace_id: WorkspaceID | None = Field(
        default=None, description="Where it belongs; the personal workspace if left out."
    )
    title: Title
    description: Description | None = None
    status: ItemStatus = Field(default=ItemStatus.OPEN, description="How far it has come.")
    priority: Priority = 0
    due_at: DueAt | None = None
    assignee_id: UserID | None = Field(default=None, description="Who is to do it; a member of the workspace.")
    parent_id: ItemID | None = Field(default=None, description="The item it is a part of, of the same workspace.")
    label_ids: LabelIDs = Field(default=[])


class ItemUpdate(InputModel):
    """Changes to an item; what is left out stays."""

    title: Title = absent()
    description: Description | None = absent()
    status: ItemStatus = absent("How far it has come.")
    priority: Priority = absent()
    due_at: DueAt | None = absent()
    assignee_id: UserID | None = absent("Who is to do it; a member of the workspace.")
    parent_id: ItemID | None = absent("The item it is a part of, of the same workspace.")


class ItemLabelInput(InputModel):
    """Which label to attach or detach."""

    label_id: LabelID = Field(description="A label of the item's workspace.")


class ItemFileInput(InputModel):
    """Which file to attach or detach."""

    file_id: FileID = Field(description="A complete file of the item's workspace.")
