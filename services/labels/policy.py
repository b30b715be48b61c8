"""Who may do what with labels."""

from services.workspaces.policy import workspace_members

policy = workspace_members()
