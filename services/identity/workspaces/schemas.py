from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.catalogue import Identifier, InputModel, Instant, ReadModel, absent
from services.identity.users.schemas import UserID, Username
from services.identity.workspaces.models import Role

WorkspaceID = Annotated[UUID, Identifier("wsp")]
MembershipID = Annotated[UUID, Identifier("mbr")]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, strip_whitespace=True),
    Field(description="The name for people.", examples=["Difference Engine"]),
]
Slug = Annotated[
    str,
    StringConstraints(min_length=3, max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Field(description="The name in URLs, unique: lower-case words joined by hyphens.", examples=["difference-engine"]),
]


class WorkspaceRead(ReadModel):
    """A workspace as its members see it."""

    id: WorkspaceID
    name: str = Field(description="The name for people.")
    slug: str = Field(description="The name in URLs, unique.")
    is_personal: bool = Field(description="Whether it was created with an account, and cannot be deleted.")
    created_at: Instant = Field(description="When it was created.")
    updated_at: Instant = Field(description="When it was last changed.")


class WorkspaceCreate(InputModel):
    """A new workspace; the caller becomes its owner."""

    name: Name
    slug: Slug


class WorkspaceUpdate(InputModel):
    """Changes to a workspace; what is left out stays."""

    name: Name = absent()
    slug: Slug = absent()


class MembershipRead(ReadModel):
    """A membership as the workspace's members see it."""

    id: MembershipID
    workspace_id: WorkspaceID = Field(description="The workspace.")
    user_id: UserID = Field(description="The member.")
    role: Role = Field(description="The role of the member.")
    created_at: Instant = Field(description="When the user joined.")


class MembershipCreate(InputModel):
    """An invitation by user name; it takes effect at once."""

    workspace_id: WorkspaceID
    username: Annotated[Username, Field(examples=["charles"])]
    role: Role = Field(default=Role.VIEWER, description="The role of the member.")


class MembershipUpdate(InputModel):
    """Another role for a member."""

    role: Role = absent("The role of the member.")
