"""From the secret of an API key to an actor.

PostgreSQL is asked; the worker remembers the answer as it does that about a token (auth/memory.py), and hears
through the same channel when the key is revoked or rotated, or its user deactivated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import ip_network
from math import inf
from time import monotonic

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update  # noqa: TID251 - finds the actor

from services.catalogue import Actor, Problem
from services.catalogue.problems import INVALID_TOKEN
from services.identity.auth.memory import Known, TokenMemory
from services.identity.auth.revocations import REMEMBERED_SECONDS
from services.identity.keys.models import ApiKey
from services.identity.keys.secrets import hash_of, is_secret
from services.identity.users.models import User
from services.storage.database import Database

_parsed = cache(ip_network)


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The kind of credential that API keys are. `scopes` are all there are: a key may know some that are gone."""

    database: Database
    memory: TokenMemory
    scopes: frozenset[str]

    async def find(self, credential: str, secret: str) -> Known:
        """The user behind a secret. Raises `invalid_token` when it is of no live key."""
        if not is_secret(secret):
            raise Problem(INVALID_TOKEN)
        asked, heard = monotonic(), self.memory.revocations
        row = await self._recorded(secret)
        if row is None:
            raise Problem(INVALID_TOKEN)
        key: ApiKey = row[0]
        actor = Actor(
            key.user_id, None, frozenset(key.scopes) & self.scopes, row.is_superuser and key.workspace_id is None,
            key.id, key.workspace_id, key.budget_per_minute,
        )  # fmt: skip
        until = _seconds([key.expires_at, None if row.is_current else key.previous_until])
        standings = (self.memory.standing(key.id), self.memory.standing(key.user_id))
        networks = tuple([_parsed(each) for each in key.networks])
        known = Known(actor, until, asked + REMEMBERED_SECONDS, standings, networks)
        if self.memory.revocations == heard:
            self.memory.remember(credential, known)
        return known

    async def _recorded(self, secret: str) -> Row[ApiKey, bool, bool, bool] | None:
        """What PostgreSQL knows; it also takes note that the key is in use, twice a minute at the most."""
        found = (
            select(ApiKey, User.is_superuser, (ApiKey.secret_hash == hash_of(secret)).label("is_current"), _unnoted())
            .join(User, User.id == ApiKey.user_id)
            .where(live(secret))
        )
        async with self.database.reading() as session:
            row = (await session.execute(found)).one_or_none()
        if row is not None and row.is_unnoted:
            of_key = ApiKey.id == row[0].id
            await self.database.note(update(ApiKey).where(of_key, _unnoted()).values(last_used_at=func.now()))
        return row


def live(secret: str) -> ColumnElement[bool]:
    """Whether a row of keys and their users is that of a live key with this secret."""
    given = hash_of(secret)
    named = or_(ApiKey.secret_hash == given, and_(ApiKey.previous_hash == given, ApiKey.previous_until > func.now()))
    return and_(named, or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()), User.is_active)


def _unnoted() -> ColumnElement[bool]:
    """Whether the last note of a key's use is long ago."""
    long_ago = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, REMEMBERED_SECONDS)
    return or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < long_ago).label("is_unnoted")


def _seconds(instants: Sequence[datetime | None]) -> float:
    """The earliest of some instants, in seconds since the epoch; never, if there is none."""
    return min((each.timestamp() for each in instants if each is not None), default=inf)
