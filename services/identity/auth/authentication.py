"""From credentials to an actor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Final, Protocol

import structlog

from services.catalogue import ANONYMOUS, Actor, Operation, Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_TOKEN
from services.identity.auth.memory import Known, Network, TokenMemory
from services.identity.auth.sessions import SessionStates
from services.identity.auth.tokens import Tokens

log = structlog.get_logger(__name__)

AUTHORIZATION: Final = b"authorization"
API_KEY: Final = b"x-api-key"
KEY_PREFIX: Final = "hgw_"
"""How API keys begin, so that people and scanners recognise them."""
_BEARER: Final = "Bearer "


class Scheme(Protocol):
    """A kind of credential beside our own tokens, told from these by how it begins."""

    async def find(self, credential: str, secret: str) -> Known:
        """Whom a secret stands for; keeps it in the memory as `credential`. Raises `invalid_token`."""
        ...


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request says of its caller.

    `given` are the credentials, each in the form of an `Authorization` header field (RFC 6750); `address` is the
    network address that it comes from.
    """

    given: tuple[str, ...] = ()
    address: str = ""

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], address: str) -> Presented:
        """Those among header fields, names in lower case: `Authorization`, and `X-API-Key`.

        A key that is a credential of `Authorization` once more is none of its own: generated clients send what they
        have by each scheme that they know.
        """
        given: tuple[str, ...] = ()
        keys: tuple[str, ...] = ()
        for name, value in headers:
            if name == AUTHORIZATION:
                given += (value.decode("latin-1"),)
            elif name == API_KEY:
                keys += (value.decode("latin-1").strip(),)
        if keys:
            tokens = {_token_of(each) for each in given}
            # A token does not become a key by being sent as one.
            given += tuple(
                _BEARER + each if each.startswith(KEY_PREFIX) else _BEARER for each in keys if each not in tokens
            )
        return cls(given, address)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Finds the actor behind a request. Both faces use it, and nothing else. `schemes` are by their prefix."""

    tokens: Tokens
    states: SessionStates
    memory: TokenMemory
    schemes: Mapping[str, Scheme] = field(default_factory=dict)

    async def actor_for(self, operations: Collection[Operation], presented: Presented) -> Actor:
        """The actor who calls these operations. What is open to everybody does not look at credentials, so that an
        expired token does not keep anybody from getting a new one. Raises as `actor`.
        """
        if operations and all(each.scope is None for each in operations):
            return ANONYMOUS
        return await self.actor(presented)

    async def actor(self, presented: Presented) -> Actor:
        """The actor behind credentials; anonymous without any.

        Raises `invalid_token` when they are none of ours, or worth nothing any more or from here, `bad_request` when
        there are several (RFC 6750, section 2).
        """
        if not presented.given:
            return ANONYMOUS
        if len(presented.given) > 1:
            raise Problem(BAD_REQUEST, "Send one credential: `Authorization` or `X-API-Key`, once.")
        known = self.memory.known(presented.given[0]) or await self._found(presented.given[0])
        if known.networks and not _is_from(known.networks, presented.address):
            log.warning("credential_refused", reason="network", actor=str(known.actor), address=presented.address)
            raise Problem(INVALID_TOKEN)
        return known.actor

    async def _found(self, authorization: str) -> Known:
        token = _token_of(authorization)
        if token is None:
            raise Problem(INVALID_TOKEN, "Only Bearer tokens are accepted.")
        # Remembered under one spelling alone, so that nobody fills the memory with spellings of one token.
        credential = _BEARER + token
        known = self.memory.known(credential)
        if known is not None:
            return known
        for prefix, other in self.schemes.items():
            if token.startswith(prefix):
                return await other.find(credential, token)
        return await self._asked(credential, token)

    async def _asked(self, credential: str, token: str) -> Known:
        actor, expires_at = self._verified(credential, token)
        assert actor.user_id is not None
        assert actor.session_id is not None
        standing = self.memory.standing(actor.session_id)
        live = await self.states.find(actor.session_id, actor.user_id)
        if live is None:
            raise Problem(INVALID_TOKEN)
        known = Known(replace(actor, is_admin=live.is_admin), expires_at, live.until, (standing,))
        self.memory.remember(credential, known)
        return known

    def _verified(self, credential: str, token: str) -> tuple[Actor, float]:
        """Whom a genuine token names, and when it expires. Raises `invalid_token`."""
        known = self.memory.verified(credential)
        if known is not None:
            return known.actor, known.expires_at
        claims = self.tokens.verify(token, "access")
        return Actor(claims.user_id, claims.session_id, claims.scopes), claims.expires_at


def _token_of(authorization: str) -> str | None:
    """The token of an `Authorization` header field; None where its scheme is another."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_from(networks: Iterable[Network], address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped in network for network in networks)
