"""Who may do what with items."""

from services.identity.workspaces.policy import workspace_members

policy = workspace_members()
