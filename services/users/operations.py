"""What can be done with users. Signing up and deactivating concern sessions too: they are in services/auth."""

from __future__ import annotations

from services.catalogue import Call, Problem
from services.storage.rows import assign
from services.users.models import User
from services.users.policy import themself
from services.users.resource import users
from services.users.schemas import UserUpdate

list_users, get_user = users.list(), users.get()
me = users.get(name="me", address="users/me", where=themself, description="The signed-in user.")


@users.update()
async def update_user(call: Call, row: User, data: UserUpdate) -> User:
    """Change a user's own account; admins may change any. One's own address is changed by `changeEmail`."""
    if data.changes().get("email", row.email) != row.email:
        _check_may_change_address(call)
        row.email_verified_at = None
    assign(row, data)
    return row


def _check_may_change_address(call: Call) -> None:
    """Raises `validation_failed` unless it is an admin: a stolen session must not be enough to come by the account."""
    if not call.actor.is_admin:
        raise Problem.field("email", "confirmation", "An address is changed by changeEmail, which writes to it first.")
