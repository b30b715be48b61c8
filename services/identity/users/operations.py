"""Read operations on users. Operations that also concern mails and sessions are in services/identity/auth."""

from __future__ import annotations

from services.identity.users.policy import themself
from services.identity.users.resource import users

list_users, get_user = users.list(), users.get()
me = users.get(name="me", address="users/me", where=themself, description="The signed-in user.")
