from services.catalogue import Resource, one
from services.identity.workspaces.models import Membership, Workspace
from services.identity.workspaces.policy import membership_policy, workspace_policy
from services.identity.workspaces.schemas import MembershipRead, WorkspaceRead

workspaces = Resource(
    "workspace", model=Workspace, read=WorkspaceRead, prefix="wsp", policy=workspace_policy,
    filters=["id", "name", "slug", "is_personal", "created_at"], sorts=["name", "slug", "created_at"],
)  # fmt: skip
memberships = Resource(
    "membership", model=Membership, read=MembershipRead, prefix="mbr", policy=membership_policy,
    relations=[one("workspace", reverse="members"), one("user", reverse="memberships")],
    filters=["id", "workspace_id", "user_id", "role", "created_at"], sorts=["role", "created_at"],
)  # fmt: skip
