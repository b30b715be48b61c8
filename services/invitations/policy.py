"""Who may do what with invitations: owners of the workspace. Whoever has the mail may accept."""

from services.workspaces.models import Role
from services.workspaces.policy import workspace_members

policy = workspace_members(read=Role.OWNER, write=Role.OWNER)
