"""Introspection of tokens and API keys (RFC 7662): callers learn of valid ones of their own only."""

from __future__ import annotations

from sqlalchemy import select  # noqa: TID251 - the secret is the credential

from services.catalogue import Call
from services.identity.auth.models import Session
from services.identity.auth.tokens import Claims, Tokens
from services.identity.keys.models import ApiKey
from services.identity.keys.schemas import Introspection
from services.identity.keys.secrets import is_secret
from services.identity.keys.states import live
from services.identity.users.models import User

INACTIVE = Introspection(active=False)


async def introspected(call: Call, secret: str) -> Introspection:
    """Return what the caller may know about a token or an API key."""
    result = await (_of_key(call, secret) if is_secret(secret) else _of_token(call, call.part(Tokens).claims(secret)))
    # The holder of a key that is bound to a workspace is not its user.
    is_own = result.sub == call.user_id and call.actor.workspace_id in (None, result.workspace_id)
    return result if is_own or call.actor.is_admin else INACTIVE


async def _of_key(call: Call, secret: str) -> Introspection:
    statement = select(ApiKey, User.username).join(User, User.id == ApiKey.user_id).where(live(secret))
    row = (await call.session.execute(statement)).one_or_none()
    if row is None:
        return INACTIVE
    key: ApiKey = row[0]
    return Introspection(
        active=True, token_type="api_key", scope=" ".join(key.scopes), sub=key.user_id, username=row.username,  # noqa: S106 - a kind of token
        exp=int(key.expires_at.timestamp()) if key.expires_at is not None else None, workspace_id=key.workspace_id,
    )  # fmt: skip


async def _of_token(call: Call, claims: Claims | None) -> Introspection:
    if claims is None:
        return INACTIVE
    statement = (
        select(User.username)
        .join(Session, Session.user_id == User.id)
        .where(Session.id == claims.session_id, User.id == claims.user_id, User.is_active)
        .where(Session.expires_at > call.now)
    )
    if claims.use == "refresh":
        statement = statement.where(Session.generation == claims.generation)
    username = (await call.session.execute(statement)).scalar_one_or_none()
    if username is None:
        return INACTIVE
    return Introspection(
        active=True, token_type=f"{claims.use}_token", scope=" ".join(sorted(claims.scopes)), sub=claims.user_id,
        username=username, exp=claims.expires_at,
    )  # fmt: skip
