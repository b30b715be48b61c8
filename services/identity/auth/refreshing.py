"""Rotation of refresh tokens, which are numbered by the generation of their session."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select, update  # noqa: TID251 - the token is the credential
from sqlalchemy.sql.dml import ReturningUpdate

from services.catalogue import Call
from services.identity.auth.config import AuthConfig
from services.identity.auth.models import Session
from services.identity.auth.tokens import Claims, Tokens
from services.identity.users.models import User


def next_generation(call: Call, claims: Claims) -> ReturningUpdate[list[str], bool]:
    """Return the statement that moves a live session to the generation after that of a refresh token.

    Within the grace period, counted from the first use by the database's clock, the session may be there already.
    Concurrent uses are serialised by the row lock.
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
