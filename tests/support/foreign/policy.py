"""Who may do what with milestones."""

from services.workspaces.policy import workspace_members

policy = workspace_members()
