"""From one generation of a session's tokens to the next."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select, update  # noqa: TID251 - of the token in the caller's hands
from sqlalchemy.sql.dml import ReturningUpdate

from services.catalogue import Call
from services.identity.auth.config import AuthConfig
from services.identity.auth.models import Session
from services.identity.auth.tokens import Claims, Tokens
from services.identity.users.models import User


def next_generation(call: Call, claims: Claims) -> ReturningUpdate[list[str], bool]:
    """Move a live session from the generation of a refresh token to the one behind it, or, within the grace, leave it
    there. Of uses at once, each waits for the one before, and finds what that has left.

    The grace counts from the first use, by the database's clock, which is the same for every process.
    """
    config, lifetime = call.part(AuthConfig), call.part(Tokens).lifetime("refresh")
    current, answerable = Session.generation == claims.generation, Session.generation == claims.generation
    if config.refresh_grace:
        recent = Session.refreshed_at > func.now() - config.refresh_grace
        answerable = or_(current, and_(Session.generation == claims.generation + 1, recent))
    return (
        update(Session)
        .where(Session.id == claims.session_id, answerable, Session.expires_at > call.now)
        .where(Session.user_id.in_(select(User.id).where(User.id == claims.user_id, User.is_active)))
        .values(
            generation=claims.generation + 1,
            refreshed_at=case((current, func.now()), else_=Session.refreshed_at),
            last_used_at=call.now,
            expires_at=call.now + lifetime,
        )
        .returning(Session.scopes, (Session.refreshed_at != func.now()).label("again"))
    )
