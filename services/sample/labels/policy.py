from services.identity.workspaces.policy import workspace_members

policy = workspace_members()
