from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Identifier, InputModel, Instant, ReadModel, ResultModel
from services.identity.mail.tokens import MailedToken
from services.identity.users.schemas import Email, UserID
from services.identity.workspaces.models import Role
from services.identity.workspaces.schemas import MembershipID, WorkspaceID


class InvitationRead(ReadModel):
    """An invitation as the workspace's owners see it."""

    id: Annotated[UUID, Identifier("inv")]
    workspace_id: WorkspaceID = Field(description="The workspace.")
    email: str = Field(description="The address that the mail went to.")
    role: Role = Field(description="The role of the new member.")
    user_id: UserID = Field(description="The user who invites.")
    created_at: Instant = Field(description="When it was created.")
    expires_at: Instant = Field(description="When it expires.")


class InvitationCreate(InputModel):
    """An invitation by mail, to an address that need not have an account."""

    workspace_id: WorkspaceID
    email: Email
    role: Role = Field(default=Role.VIEWER, description="The role of the new member.")


class InvitationAccept(InputModel):
    """The token of a mail."""

    token: Annotated[MailedToken, Field(examples=["b6Gs9kMxE2jWfC5uN1oTvQ"])]


class Joined(ResultModel):
    """The membership that accepting an invitation has created."""

    membership_id: MembershipID = Field(description="The membership.")
    workspace_id: WorkspaceID = Field(description="The workspace of the membership.")
