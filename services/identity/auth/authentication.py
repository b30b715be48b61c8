"""Authentication: from credentials to an actor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic
from typing import Final

import structlog

from services.catalogue import ANONYMOUS, Actor, Operation, Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_TOKEN
from services.identity.auth.memory import CredentialCache, VerifiedCredential
from services.identity.auth.sessions import SessionStates
from services.identity.auth.tokens import Tokens

log = structlog.get_logger(__name__)

AUTHORIZATION: Final = b"authorization"
API_KEY: Final = b"x-api-key"
KEY_PREFIX: Final = "hgw_"
"""Prefix of API keys, by which people and secret scanners recognise them."""
_BEARER: Final = "Bearer "


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a request, each as an `Authorization` header field (RFC 6750), and its client's address."""

    given: tuple[str, ...] = ()
    address: str = ""

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], address: str) -> Credentials:
        """Collect the credentials in `Authorization` and `X-API-Key` from header fields, names in lower case."""
        given: tuple[str, ...] = ()
        keys: tuple[str, ...] = ()
        for name, value in headers:
            if name == AUTHORIZATION:
                given += (value.decode("latin-1"),)
            elif name == API_KEY:
                keys += (value.decode("latin-1").strip(),)
        if keys:
            # One that repeats a token is ignored: generated clients send a credential by each scheme that they know.
            tokens = {_token_of(authorization) for authorization in given}
            # Only API keys are accepted here: other tokens become an empty, invalid one.
            given += tuple(
                _BEARER + key if key.startswith(KEY_PREFIX) else _BEARER for key in keys if key not in tokens
            )
        return cls(given, address)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Authenticates requests, for both faces. `find_key` verifies an API key, or raises `invalid_token`."""

    tokens: Tokens
    states: SessionStates
    memory: CredentialCache
    find_key: Callable[[str], Awaitable[VerifiedCredential]]

    async def actor_for(self, operations: Collection[Operation], presented: Credentials) -> Actor:
        """Return the actor who calls these operations, anonymous if all of them are public. Raise as `actor`."""
        # With an expired token one can still get a new one.
        if operations and all(operation.scope is None for operation in operations):
            return ANONYMOUS
        return await self.actor(presented)

    async def actor(self, presented: Credentials) -> Actor:
        """Return the actor of the credentials; the anonymous one without any.

        Raise `invalid_token` for unknown, expired or revoked credentials and for those of another network, and
        `bad_request` for several (RFC 6750, section 2).
        """
        if not presented.given:
            return ANONYMOUS
        if len(presented.given) > 1:
            raise Problem(BAD_REQUEST, "Send one credential: `Authorization` or `X-API-Key`, once.")
        known = self.memory.known(presented.given[0]) or await self._resolve(presented.given[0])
        if known.networks and not _is_from(known, presented.address):
            log.warning("credential_refused", reason="network", actor=str(known.actor), address=presented.address)
            raise Problem(INVALID_TOKEN)
        return known.actor

    async def _resolve(self, authorization: str) -> VerifiedCredential:
        token = _token_of(authorization)
        if token is None:
            raise Problem(INVALID_TOKEN, "Only Bearer tokens are accepted.")
        # Remembered under one spelling, so that the spellings of one token cannot fill the memory.
        credential = _BEARER + token
        known = self.memory.known(credential)
        if known is None:
            known = await (self.find_key(token) if token.startswith(KEY_PREFIX) else self._verify(token))
            self.memory.remember(credential, known)
        return known

    async def _verify(self, token: str) -> VerifiedCredential:
        claims = self.tokens.verify(token, "access")
        asked_at = monotonic()
        live = await self.states.find(claims.session_id, claims.user_id)
        if live is None:
            raise Problem(INVALID_TOKEN)
        is_admin, fresh_until = live
        actor = Actor(claims.user_id, claims.session_id, claims.scopes, is_admin)
        return VerifiedCredential(actor, claims.expires_at, asked_at, fresh_until, (claims.session_id.hex,))


def _token_of(authorization: str) -> str | None:
    """Return the token of an `Authorization` header field; None for another scheme than Bearer."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_from(known: VerifiedCredential, address: str) -> bool:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    client = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(client in network for network in known.networks)
