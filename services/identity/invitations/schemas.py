"""Invitations as they go in and out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr

from services.catalogue import Identifier, InputModel, Instant, ReadModel, ResultModel
from services.identity.users.schemas import Email, UserID
from services.identity.workspaces.models import Role
from services.identity.workspaces.schemas import MembershipID, WorkspaceID

InvitationID = Annotated[UUID, Identifier("inv")]


class InvitationRead(ReadModel):
    """An invitation as the workspace's owners see it."""

    id: InvitationID
    workspace_id: WorkspaceID = Field(description="The workspace.")
    email: str = Field(description="The address that the mail went to.")
    role: Role = Field(description="What the member will be allowed to do.")
    user_id: UserID = Field(description="Who invites.")
    created_at: Instant = Field(description="When it was made.")
    expires_at: Instant = Field(description="When it ends by itself.")


class InvitationCreate(InputModel):
    """An invitation by mail, to an address that may have an account or not."""

    workspace_id: WorkspaceID
    email: Email
    role: Role = Field(default=Role.VIEWER, description="What the member will be allowed to do.")


class InvitationAccept(InputModel):
    """What a mail has brought."""

    token: Annotated[
        SecretStr,
        Field(
            min_length=1,
            max_length=200,
            description="What the link in the mail carries behind `#token=`.",
            examples=["b6Gs9kMxE2jWfC5uN1oTvQ"],
        ),
    ]


class Joined(ResultModel):
    """What accepting an invitation gives."""

    membership_id: MembershipID = Field(description="The membership.")
    workspace_id: WorkspaceID = Field(description="The workspace that the user is a member of now.")
