"""Authentication by API keys.

PostgreSQL is asked, and the worker remembers the answer as for tokens (auth/memory.py). Through the same channel it
learns when the key is revoked or rotated, or its user deactivated.
"""

from __future__ import annotations

from ipaddress import ip_network
from math import inf
from time import monotonic

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update  # noqa: TID251 - finds the actor

from services.catalogue import Actor, Problem
from services.catalogue.problems import INVALID_TOKEN
from services.identity.auth.memory import REMEMBERED_SECONDS, VerifiedCredential
from services.identity.keys.models import ApiKey
from services.identity.keys.secrets import hash_of, is_secret
from services.identity.users.models import User
from services.storage.database import Database


async def verify_key(database: Database, scopes: frozenset[str], secret: str) -> VerifiedCredential:
    """Verify the secret of an API key, which may have scopes that were removed. Raise `invalid_token`."""
    if not is_secret(secret):
        raise Problem(INVALID_TOKEN)
    asked_at = monotonic()
    row = await _load(database, secret)
    if row is None:
        raise Problem(INVALID_TOKEN)
    key: ApiKey = row[0]
    actor = Actor(
        key.user_id, None, frozenset(key.scopes) & scopes, row.is_superuser and key.workspace_id is None,
        key.id, key.workspace_id, key.budget_per_minute,
    )  # fmt: skip
    ends = (key.expires_at, None if row.is_current else key.previous_until)
    until = min((end.timestamp() for end in ends if end is not None), default=inf)
    networks = tuple([ip_network(network) for network in key.networks])
    fresh_until, subjects = asked_at + REMEMBERED_SECONDS, (key.id.hex, key.user_id.hex)
    return VerifiedCredential(actor, until, asked_at, fresh_until, subjects, networks)


async def _load(database: Database, secret: str) -> Row[ApiKey, bool, bool, bool] | None:
    """Load the key from PostgreSQL, and record its use, at most twice a minute."""
    outdated = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, REMEMBERED_SECONDS)
    unnoted = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < outdated)
    is_current = (ApiKey.secret_hash == hash_of(secret)).label("is_current")
    columns = select(ApiKey, User.is_superuser, is_current, unnoted.label("is_unnoted"))
    statement = columns.join(User, User.id == ApiKey.user_id).where(live(secret))
    async with database.reading() as session:
        row = (await session.execute(statement)).one_or_none()
    if row is not None and row.is_unnoted:
        of_key = ApiKey.id == row[0].id
        await database.note(update(ApiKey).where(of_key, unnoted).values(last_used_at=func.now()))
    return row


def live(secret: str) -> ColumnElement[bool]:
    """Return the condition, on keys joined with their users, that selects the live key with this secret."""
    digest = hash_of(secret)
    is_previous = and_(ApiKey.previous_hash == digest, ApiKey.previous_until > func.now())
    is_unexpired = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    return and_(or_(ApiKey.secret_hash == digest, is_previous), is_unexpired, User.is_active)
