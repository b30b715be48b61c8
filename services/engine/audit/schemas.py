"""The audit as it goes out."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.catalogue import Identifier, Instant, ReadModel
from services.engine.audit.models import Outcome
from services.identity.users.schemas import UserID
from services.identity.workspaces.schemas import WorkspaceID

AuditEventID = Annotated[UUID, Identifier("aud")]
SessionID = Annotated[UUID, Identifier("ses")]
KeyID = Annotated[UUID, Identifier("key")]


class AuditEventRead(ReadModel):
    """Something that was done, or refused, as owners of the workspace and admins see it."""

    id: AuditEventID
    created_at: Instant = Field(description="When.")
    user_id: UserID | None = Field(
        description="Who; of a refused sign-in whose account it was about. Null where there is no such account, and of "
        "the command line."
    )
    session_id: SessionID | None = Field(description="The session it was done in; of a sign-in the one it opened.")
    key_id: KeyID | None = Field(description="The API key it was done with.")
    as_admin: bool = Field(description="Whether only an admin could do this, and nobody else in the user's place.")
    operation: str = Field(description="The operation's name.", examples=["update_item"])
    resource: str | None = Field(description="What it was done to: a resource's name.", examples=["item"])
    resource_id: str | None = Field(
        description="The identifier of the row; null for what was refused before it was looked for.",
        examples=["itm_0198c0de0198c0de0198c0de0198c0de"],
    )
    workspace_id: WorkspaceID | None = Field(description="The workspace of the row; null where it has none.")
    caused_by: str | None = Field(
        description="The identifier of the row whose deletion has changed this one (`changed` says in what), or has "
        "deleted it too (`changed` is empty). Null for the row that the operation itself was about.",
        examples=["wsp_0198c0de0198c0de0198c0de0198c0de"],
    )
    request_id: str | None = Field(description="The request's id, as in its answer's X-Request-ID and in the log.")
    address: str | None = Field(description="The network address of the client.")
    outcome: Outcome = Field(description="What came of it.")
    problem: str | None = Field(description="The code of the problem it was refused with.", examples=["forbidden"])
    changed: list[str] = Field(description="The names of the fields that were changed, never their values.")
