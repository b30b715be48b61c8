"""Identity of callers: users, sessions, accounts, API keys, workspaces, invitations, and mail about them."""
