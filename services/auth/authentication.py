"""From credentials to an actor."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.auth.sessions import SessionStates
from services.auth.tokens import Tokens
from services.catalogue import ANONYMOUS, Actor, Operation, Problem
from services.catalogue.problems import INVALID_TOKEN


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the actor behind a request. Both faces use it, and nothing else."""

    tokens: Tokens
    states: SessionStates

    async def actor_for(self, operations: Collection[Operation], authorization: str | None) -> Actor:
        """The actor who calls these operations. What is open to everybody does not look at credentials, so that an
        expired token does not keep anybody from getting a new one. Raises `invalid_token`.
        """
        if operations and all(each.scope is None for each in operations):
            return ANONYMOUS
        return await self.actor(authorization)

    async def actor(self, authorization: str | None) -> Actor:
        """The actor of an `Authorization` header field (RFC 6750); anonymous without one.

        Raises `invalid_token` when there is one that is not a live access token of ours.
        """
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(INVALID_TOKEN, "Only Bearer tokens are accepted.")
        claims = self.tokens.verify(token.strip(), "access")
        is_admin = await self.states.is_admin(claims.session_id, claims.user_id)
        if is_admin is None:
            raise Problem(INVALID_TOKEN)
        return Actor(claims.user_id, claims.session_id, claims.scopes, is_admin)
