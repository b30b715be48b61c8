from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from services.catalogue import ACTOR_ID, UNBOUND, Policy, everyone, needs, nobody, signed_in


def themself(user: Any) -> ColumnElement[bool]:
    own: ColumnElement[bool] = user.id == ACTOR_ID
    return own


@needs(
    "Only users themselves and admins may do this.",
    bound="An API key that is bound to a workspace cannot change accounts.",
)
def in_person(user: Any) -> ColumnElement[bool]:
    """Select the actor's own row, unless they call with an API key that is bound to a workspace."""
    return and_(themself(user), UNBOUND)


def visible(user: Any) -> ColumnElement[bool]:
    """Select active users for signed-in actors, who may invite them; deactivated users see only themselves."""
    return and_(signed_in(user), or_(user.is_active, themself(user)))


policy = Policy(
    read=visible, create=everyone, update=in_person, set_avatar=in_person, deactivate=in_person, activate=nobody,
    masks={"email": in_person, "email_verified": in_person},
)  # fmt: skip
