"""What is known of a token or a key (RFC 7662): nothing, unless it is good and the caller's own."""

from __future__ import annotations

from sqlalchemy import select  # noqa: TID251 - of the credential in the caller's hands

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
    """The answer for a secret, to the caller."""
    found = await (_of_key(call, secret) if is_secret(secret) else _of_token(call, call.part(Tokens).claims(secret)))
    # A key that is bound to a workspace is in other hands than its user's.
    own = found.sub == call.user_id and call.actor.workspace_id in (None, found.workspace_id)
    return found if own or call.actor.is_admin else INACTIVE


async def _of_key(call: Call, secret: str) -> Introspection:
    wanted = select(ApiKey, User.username).join(User, User.id == ApiKey.user_id).where(live(secret))
    row = (await call.session.execute(wanted)).one_or_none()
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
    wanted = (
        select(User.username)
        .join(Session, Session.user_id == User.id)
        .where(Session.id == claims.session_id, User.id == claims.user_id, User.is_active)
        .where(Session.expires_at > call.now)
    )
    if claims.use == "refresh":
        wanted = wanted.where(Session.generation == claims.generation)
    username = (await call.session.execute(wanted)).scalar_one_or_none()
    if username is None:
        return INACTIVE
    return Introspection(
        active=True, token_type=f"{claims.use}_token", scope=" ".join(sorted(claims.scopes)), sub=claims.user_id,
        username=username, exp=claims.expires_at,
    )  # fmt: skip
