"""Operations on API keys, and introspection and revocation of tokens and keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select  # noqa: TID251 - the secret is the credential

from services.catalogue import Call, HandWritten, Problem, new_key, procedure
from services.catalogue.problems import INSUFFICIENT_SCOPE, VALIDATION_FAILED, FieldError
from services.identity.auth.models import Session
from services.identity.auth.operations import end_sessions
from services.identity.auth.revocations import Revocations
from services.identity.auth.tokens import Tokens
from services.identity.keys.models import ApiKey
from services.identity.keys.resource import api_keys
from services.identity.keys.schemas import (
    ApiKeyCreate,
    ApiKeyRotate,
    CredentialInput,
    Introspection,
    IssuedKey,
    Revocation,
)
from services.identity.keys.secrets import hash_of, hint_of, is_secret, new_secret
from services.identity.keys.states import live
from services.identity.users.models import User
from services.process.budget.budget import Budget
from services.storage.cascades import Cascades
from services.storage.rows import check_placed

introspection_form = HandWritten("rest", "POST /auth/introspect", "The form of RFC 7662, 2.1; JSON works as well.")
revocation_form = HandWritten("rest", "POST /auth/revoke", "The form of RFC 7009, 2.1; JSON works as well.")
metadata = HandWritten(
    "rest", "GET /.well-known/oauth-authorization-server", "OAuth2 metadata (RFC 8414), at the root of the origin."
)

INACTIVE = Introspection(active=False)

list_api_keys, get_api_key = api_keys.list(), api_keys.get()


def _announce_revocation(call: Call, keys: Collection[UUID]) -> None:
    revocations = call.part(Revocations)
    call.after_commit.append(lambda: revocations.announce(others=keys))


delete_api_key = api_keys.delete(
    gone=_announce_revocation, description="Revoke an API key: within a second it is refused everywhere."
)


@api_keys.create(problems=[INSUFFICIENT_SCOPE], statements=2)
async def create_api_key(call: Call, data: ApiKeyCreate) -> IssuedKey:
    """Make an API key that acts as the caller, with scopes that the caller has. Its secret is shown this once."""
    _check_scopes(call, data.scopes)
    if data.expires_at is not None and data.expires_at <= call.now:
        raise Problem.field("expires_at", "range", "This is over already.")
    budget, limit = data.budget_per_minute, call.part(Budget).per_minute
    if budget is not None and limit and budget > limit:
        raise Problem.field("budget_per_minute", "range", f"The limit is {limit} points a minute.")
    secret = new_secret()
    key = ApiKey(
        id=new_key(), user_id=call.user_id, workspace_id=data.workspace_id, name=data.name, hint=hint_of(secret),
        scopes=sorted(set(data.scopes)), networks=data.networks, secret_hash=hash_of(secret), created_at=call.now,
        expires_at=data.expires_at, budget_per_minute=budget,
    )  # fmt: skip
    call.session.add(key)
    await check_placed(call, api_keys, key)
    return IssuedKey(id=key.id, secret=secret)


@api_keys.action("rotate", statements=2)
async def rotate_api_key(call: Call, row: ApiKey, data: ApiKeyRotate) -> IssuedKey:
    """Give an API key another secret; the old one ends at once, or after a grace period."""
    secret, grace = new_secret(), timedelta(seconds=data.grace_seconds)
    current = (await call.session.execute(select(ApiKey.secret_hash).where(ApiKey.id == row.id))).scalar_one()
    row.previous_hash, row.previous_until = (current, call.now + grace) if grace else (None, None)
    row.secret_hash, row.hint, row.rotated_at = hash_of(secret), hint_of(secret), call.now
    _announce_revocation(call, [row.id])
    return IssuedKey(id=row.id, secret=secret)


@procedure("auth/introspect", scope="", audited=False)
async def introspect(call: Call, data: CredentialInput) -> Introspection:
    """Ask whether a token or key of one's own is good, and what it may do (RFC 7662); admins may ask about any."""
    secret = data.token.get_secret_value()
    found = await (_key_state(call, secret) if is_secret(secret) else _token_state(call, secret))
    # The holder of a key that is bound to a workspace is not its user.
    is_own = found.sub == call.user_id and call.actor.workspace_id in (None, found.workspace_id)
    return found if is_own or call.actor.is_admin else INACTIVE


async def _key_state(call: Call, secret: str) -> Introspection:
    statement = select(ApiKey, User.username).join(User, User.id == ApiKey.user_id).where(live(secret))
    row = (await call.session.execute(statement)).one_or_none()
    if row is None:
        return INACTIVE
    key: ApiKey = row[0]
    return Introspection(
        active=True, token_type="api_key", scope=" ".join(key.scopes), sub=key.user_id, username=row.username,  # noqa: S106 - a kind of token
        exp=int(key.expires_at.timestamp()) if key.expires_at is not None else None, workspace_id=key.workspace_id,
    )  # fmt: skip


async def _token_state(call: Call, secret: str) -> Introspection:
    claims = call.part(Tokens).claims(secret)
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


@procedure("auth/revoke", scope=None, emits="session.ended", statements=2)
async def revoke(call: Call, data: CredentialInput) -> Revocation:
    """Revoke an API key, or end the session of a token. Any holder may do so (RFC 7009)."""
    secret = data.token.get_secret_value()
    if is_secret(secret):
        statement = select(ApiKey).join(User, User.id == ApiKey.user_id).where(live(secret))
        key = (await call.session.execute(statement)).scalar_one_or_none()
        if key is not None:
            await call.part(Cascades).delete_where(call.session, ApiKey, ApiKey.id == key.id)
            _announce_revocation(call, [key.id])
    elif (claims := call.part(Tokens).claims(secret)) is not None:
        await end_sessions(call, Session.id == claims.session_id, Session.user_id == claims.user_id)
    return Revocation()


def _check_scopes(call: Call, scopes: Sequence[str]) -> None:
    """Raise `validation_failed` for scopes that do not exist, `insufficient_scope` for one that the caller lacks."""
    existing = call.part(Tokens).scopes
    unknown = [index for index, scope in enumerate(scopes) if scope not in existing]
    if unknown:
        errors = [FieldError(("scopes", index), "choice", "There is no such scope.") for index in unknown]
        raise Problem(VALIDATION_FAILED, errors=errors)
    for scope in scopes:
        if scope not in call.actor.scopes:
            lack = f"The caller lacks the scope {scope}, which the key was to have."
            raise Problem(INSUFFICIENT_SCOPE, lack, scope=scope)
