"""JSON Web Tokens (RFC 7519), issued and verified in this module alone.

An access token names the user, the session, the scopes (`scope`, RFC 9068) and the expiry. A refresh token names the
session and its generation, so that the reuse of an old one is detected. The claim `use` distinguishes them. `verify`
adds the checks that python-jose omits.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from jose import jwt
from jose.exceptions import JOSEError

from services.catalogue import Identifier, Problem, new_key
from services.catalogue.problems import INVALID_TOKEN

Use = Literal["access", "refresh"]

_USER, _SESSION = Identifier("usr"), Identifier("ses")
_MAX_TOKEN: Final = 4_096
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_REQUIRED: Final = {f"require_{name}": True for name in ("exp", "iat", "sub", "aud", "iss", "jti")}


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: UUID
    session_id: UUID
    scopes: frozenset[str]
    generation: int
    expires_at: int
    """Seconds since the epoch."""
    use: Use


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and verifies tokens with the process's key."""

    secret: str = field(repr=False)
    scopes: tuple[str, ...]
    """All that exist."""
    algorithm: str = "HS256"
    access_lifetime: timedelta = timedelta(minutes=30)
    refresh_lifetime: timedelta = timedelta(days=30)
    refresh_grace: timedelta = timedelta(seconds=10)
    """How long a replaced refresh token is still accepted."""
    issuer: str = "hybrid-gateway"
    audience: str = "hybrid-gateway"

    def issue(
        self, use: Use, *, user_id: UUID, session_id: UUID, now: datetime, scopes: frozenset[str], generation: int = 0
    ) -> str:
        issued = int(now.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": _USER.encode(user_id),
            "sid": _SESSION.encode(session_id),
            "jti": new_key().hex,
            "iat": issued,
            "exp": issued + int(self.lifetime(use).total_seconds()),
            "use": use,
            "scope": " ".join(sorted(scopes)),
            "gen": generation,
        }
        return str(jwt.encode(claims, self.secret, algorithm=self.algorithm))

    def lifetime(self, use: Use) -> timedelta:
        return self.access_lifetime if use == "access" else self.refresh_lifetime

    def claims(self, token: str) -> Claims | None:
        """Return the claims of a valid access or refresh token, or None."""
        with suppress(Problem):
            return self.verify(token, "access", "refresh")
        return None

    def verify(self, token: str, *uses: Use) -> Claims:
        """Return the claims of a token of one of these uses. Raise `invalid_token` if it is invalid or has expired."""
        try:
            # jose's base64 decoder skips invalid characters.
            if len(token) > _MAX_TOKEN or not _COMPACT.fullmatch(token):
                raise ValueError("form")
            # jose ignores `crit`; tokens with a `kid` or another `typ` were not issued here.
            if jwt.get_unverified_header(token) != {"alg": self.algorithm, "typ": "JWT"}:
                raise ValueError("header")
            claims = jwt.decode(
                token, self.secret, algorithms=[self.algorithm],
                audience=self.audience, issuer=self.issuer, options=_REQUIRED,
            )  # fmt: skip
            if claims["use"] not in uses:
                raise ValueError("use")
            return Claims(
                user_id=_USER.decode(claims["sub"]),
                session_id=_SESSION.decode(claims["sid"]),
                scopes=_scopes(claims["scope"]),
                generation=int(claims["gen"]),
                expires_at=int(claims["exp"]),
                use=claims["use"],
            )
        except (JOSEError, ValueError, KeyError, TypeError, AttributeError):
            raise Problem(INVALID_TOKEN) from None


@lru_cache(maxsize=256)
def _scopes(text: str) -> frozenset[str]:
    """Return a set shared by all tokens of the same scopes: most of the thousands in memory carry all scopes."""
    return frozenset(text.split())
