"""From credentials to an actor."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from services.auth.memory import Known, TokenMemory
from services.auth.sessions import SessionStates
from services.auth.tokens import Tokens
from services.catalogue import ANONYMOUS, Actor, Operation, Problem
from services.catalogue.problems import INVALID_TOKEN


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the actor behind a request. Both faces use it, and nothing else."""

    tokens: Tokens
    states: SessionStates
    memory: TokenMemory

    async def actor_for(self, operations: Collection[Operation], authorization: str | None) -> Actor:
        """The actor who calls these operations. What is open to everybody does not look at credentials, so that an
        expired token does not keep anybody from getting a new one. Raises `invalid_token`.
        """
        if operations and all(each.scope is None for each in operations):
            return ANONYMOUS
        return await self.actor(authorization)

    def remembered(self, authorization: str) -> Actor | None:
        """The actor of an `Authorization` header field, if the worker knows without asking anybody; else ask `actor`.

        No other answer than `actor` would give, but for ends of sessions less than a second ago.
        """
        return self.memory.actor(authorization)

    async def actor(self, authorization: str | None) -> Actor:
        """The actor of an `Authorization` header field (RFC 6750); anonymous without one.

        Raises `invalid_token` when there is one that is not a live access token of ours.
        """
        if authorization is None:
            return ANONYMOUS
        found = self.memory.actor(authorization)
        if found is not None:
            return found
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(INVALID_TOKEN, "Only Bearer tokens are accepted.")
        token = token.strip()
        # Remembered under one spelling alone, so that nobody fills the memory with spellings of one token.
        credential = f"Bearer {token}"
        return self.memory.actor(credential) or await self._asked(credential, token)

    async def _asked(self, credential: str, token: str) -> Actor:
        actor, expires_at = self._verified(credential, token)
        assert actor.user_id is not None
        assert actor.session_id is not None
        standing = self.memory.standing(actor.session_id)
        live = await self.states.find(actor.session_id, actor.user_id)
        if live is None:
            raise Problem(INVALID_TOKEN)
        actor = replace(actor, is_admin=live.is_admin)
        self.memory.remember(credential, Known(actor, expires_at, live.until, standing))
        return actor

    def _verified(self, credential: str, token: str) -> tuple[Actor, float]:
        """Whom a genuine token names, and when it expires. Raises `invalid_token`."""
        known = self.memory.verified(credential)
        if known is not None:
            return known.actor, known.expires_at
        claims = self.tokens.verify(token, "access")
        return Actor(claims.user_id, claims.session_id, claims.scopes), claims.expires_at
