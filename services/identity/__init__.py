"""Who calls: users, sessions, accounts, API keys, workspaces, invitations, and the mail that goes with them."""
