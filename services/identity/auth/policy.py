"""Policy of sessions: users read and end their own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, func

from services.catalogue import ACTOR_ID, UNBOUND, Policy


def own(session: Any) -> ColumnElement[bool]:
    """Select the actor's sessions that have not expired."""
    return and_(session.user_id == ACTOR_ID, UNBOUND, session.expires_at > func.now())


policy = Policy(read=own, delete=own)
