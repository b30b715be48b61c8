from services.catalogue import Resource, one
from services.identity.invitations.models import Invitation
from services.identity.invitations.policy import policy
from services.identity.invitations.schemas import InvitationRead

invitations = Resource(
    "invitation", model=Invitation, read=InvitationRead, prefix="inv", policy=policy,
    relations=[one("workspace", reverse="invitations"), one("user")],
    filters=["id", "workspace_id", "email", "role", "user_id", "created_at", "expires_at"],
    sorts=["created_at", "expires_at"],
)  # fmt: skip
