from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.catalogue import Identifier, InputModel, Instant, ReadModel, absent
from services.identity.workspaces.schemas import WorkspaceID

LabelID = Annotated[UUID, Identifier("lbl")]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=50, strip_whitespace=True),
    Field(description="The name, unique in its workspace without regard to case.", examples=["bug"]),
]
Color = Annotated[
    str, StringConstraints(pattern=r"^#[0-9a-f]{6}$"), Field(description="Colour, #rrggbb.", examples=["#d73a4a"])
]


class LabelRead(ReadModel):
    """A label as the workspace's members see it."""

    id: LabelID
    workspace_id: WorkspaceID = Field(description="The workspace it belongs to.")
    name: str = Field(description="The name.")
    color: str = Field(description="Colour, #rrggbb.")
    created_at: Instant = Field(description="When it was created.")
    updated_at: Instant = Field(description="When it was last changed.")


class LabelCreate(InputModel):
    """A new label."""

    workspace_id: WorkspaceID | None = Field(
        default=None, description="The workspace it belongs to; the personal one if left out."
    )
    name: Name
    color: Color = "#808080"


class LabelUpdate(InputModel):
    """Changes to a label; what is left out stays."""

    name: Name = absent()
    color: Color = absent()
