"""Who may do what with users."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from services.catalogue import ACTOR_ID, UNBOUND, Policy, everyone, needs, nobody, signed_in


def themself(user: Any) -> ColumnElement[bool]:
    """The actor's own row."""
    own: ColumnElement[bool] = user.id == ACTOR_ID
    return own


@needs(
    "Only users themselves and admins may do this.",
    bound="An API key that is bound to a workspace cannot change accounts.",
)
def in_person(user: Any) -> ColumnElement[bool]:
    """The same, unless they call with a key that is bound to a workspace: it is no business of whoever holds that."""
    return and_(themself(user), UNBOUND)


def visible(user: Any) -> ColumnElement[bool]:
    """Active users are visible to whoever is signed in, to be found and invited; a deactivated one only to themself."""
    return and_(signed_in(user), or_(user.is_active, themself(user)))


policy = Policy(
    read=visible, create=everyone, update=in_person, set_avatar=in_person, deactivate=in_person, activate=nobody,
    masks={"email": in_person, "email_verified": in_person},
)  # fmt: skip
