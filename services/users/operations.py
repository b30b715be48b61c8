"""What can be done with users. Signing up and deactivating concern sessions too: they are in services/auth."""

from __future__ import annotations

from services.catalogue import Call
from services.storage.rows import assign
from services.users.models import User
from services.users.policy import themself
from services.users.resource import users
from services.users.schemas import UserUpdate

list_users, get_user = users.list(), users.get()
me = users.get(name="me", address="users/me", where=themself, description="The signed-in user.")


@users.update()
async def update_user(call: Call, row: User, data: UserUpdate) -> User:
    """Change a user's own account; admins may change any."""
    assign(row, data)
    return row
