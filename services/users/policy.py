"""Who may do what with users."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from services.catalogue import ACTOR_ID, Policy, everyone, nobody, signed_in


def themself(user: Any) -> ColumnElement[bool]:
    """The actor's own row."""
    own: ColumnElement[bool] = user.id == ACTOR_ID
    return own


def visible(user: Any) -> ColumnElement[bool]:
    """Active users are visible to whoever is signed in, to be found and invited; a deactivated one only to themself."""
    return and_(signed_in(user), or_(user.is_active, themself(user)))


policy = Policy(
    read=visible, create=everyone, update=themself, deactivate=themself, activate=nobody, masks={"email": themself}
)
