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
    """An operation that was carried out or refused, as owners of the workspace and admins see it."""

    id: AuditEventID
    created_at: Instant = Field(description="When it happened.")
    user_id: UserID | None = Field(
        description="Who called it; for a refused sign-in, the account that was named. Null if there is no such "
        "account, and for the command line."
    )
    session_id: SessionID | None = Field(description="The session it was called in; for a sign-in, the one it opened.")
    key_id: KeyID | None = Field(description="The API key it was called with.")
    as_admin: bool = Field(description="Whether it was allowed only because the user is an admin.")
    operation: str = Field(description="The operation's name.", examples=["update_item"])
    resource: str | None = Field(description="The resource of the row it was about.", examples=["item"])
    resource_id: str | None = Field(
        description="The identifier of the row; null if the call was refused before the row was loaded.",
        examples=["itm_0198c0de0198c0de0198c0de0198c0de"],
    )
    workspace_id: WorkspaceID | None = Field(description="The workspace of the row; null where it has none.")
    caused_by: str | None = Field(
        description="The identifier of the row whose deletion changed this row (in the fields named by `changed`) or "
        "deleted it too (`changed` is empty). Null for the row that the operation itself was about.",
        examples=["wsp_0198c0de0198c0de0198c0de0198c0de"],
    )
    request_id: str | None = Field(description="The request's id, as in the header X-Request-ID and in the log.")
    address: str | None = Field(description="The network address of the client.")
    outcome: Outcome = Field(description="Whether it was carried out or refused.")
    problem: str | None = Field(description="The code of the problem it was refused with.", examples=["forbidden"])
    changed: list[str] = Field(description="The names of the fields that were changed, never their values.")
