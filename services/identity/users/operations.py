"""What can be done with users. Signing up, changing and deactivating concern mails and sessions, too: they are in
services/auth.
"""

from __future__ import annotations

from services.identity.users.policy import themself
from services.identity.users.resource import users

list_users, get_user = users.list(), users.get()
me = users.get(name="me", address="users/me", where=themself, description="The signed-in user.")
