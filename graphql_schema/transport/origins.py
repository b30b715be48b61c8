"""Refuses requests that a browser sends for a page of another site (cross-site request forgery).

A browser sends a CORS preflight before any request that an HTML form could not send, such as one with a JSON body or a
custom header field. A request without a preflight is therefore refused if `Sec-Fetch-Site` or `Origin` says that it is
from another site. WebSockets are never preflighted, so they are checked by `Origin` alone. See
docs/decisions/0013-requests-without-preflight.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from graphql_schema.transport.negotiation import essence
from services.catalogue import Problem
from services.catalogue.problems import CSRF_SUSPECTED
from services.identity.auth.authentication import API_KEY, AUTHORIZATION

MARKS: Final = (b"x-apollo-operation-name", b"apollo-require-preflight", b"x-requested-with")
"""The header fields any of which, if not empty, proves that the request was preflighted."""

LOCAL: Final = r"https?://(localhost|([a-z0-9-]+\.)+localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
"""A pattern of the origins of pages that are served by the browser's own machine (RFC 6761, section 6.3)."""

_FORMS: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""The media types that a browser sends without a preflight (Fetch, "CORS-safelisted request-header")."""
_LOCAL: Final = re.compile(LOCAL.encode())
_FOREIGN: Final = frozenset({b"cross-site", b"same-site"})


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins whose pages may call. `others` are those beside the gateway's own; `*` stands for all."""

    others: frozenset[bytes] = frozenset()
    local: bool = False
    """Whether the origins of LOCAL may call."""

    @classmethod
    def of(cls, others: Iterable[str], *, local: bool = False) -> Origins:
        """Create them from the strings of a setting."""
        return cls(frozenset(origin.lower().encode() for origin in others), local)

    def allow(self, origin: bytes, host: bytes) -> bool:
        """Whether pages of an origin may call the gateway that was addressed as `host`."""
        origin = origin.lower()
        if self.local and _LOCAL.fullmatch(origin):
            return True
        # Schemes are not compared: behind a proxy that ends TLS the gateway does not know its own.
        return b"*" in self.others or origin in self.others or _name(origin.partition(b"://")[2]) == _name(host) != b""


def _name(authority: bytes) -> bytes:
    """Return a host and its port, without a default port, which browsers omit and proxies may not."""
    return authority.lower().removesuffix(b":80").removesuffix(b":443")


def is_preflighted(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser sends a CORS preflight before a cross-site request with these header fields."""
    if essence(headers.get(b"content-type", b"")) not in _FORMS:
        return True
    return AUTHORIZATION in headers or API_KEY in headers or any(headers.get(name, b"").strip() for name in MARKS)


def check_not_forged(headers: Mapping[bytes, bytes], origins: Origins) -> None:
    """Raise `csrf_suspected` for a request of a page of another site that was not preflighted."""
    origin, host = headers.get(b"origin"), headers.get(b"host", b"")
    if origin is not None and origins.allow(origin, host):
        return
    if (origin is not None or headers.get(b"sec-fetch-site") in _FOREIGN) and not is_preflighted(headers):
        names = ", ".join(name.decode() for name in MARKS)
        raise Problem(CSRF_SUSPECTED, f"Send a body of application/json, or one of the header fields {names}.")


def check_origin(headers: Mapping[bytes, bytes], origins: Origins) -> None:
    """Raise `csrf_suspected` for a WebSocket of a page that may not call. Other clients send no `Origin`."""
    origin = headers.get(b"origin")
    if origin is not None and not origins.allow(origin, headers.get(b"host", b"")):
        raise Problem(CSRF_SUSPECTED, "Pages of this origin may not call: see the setting BACKEND_CORS_ORIGINS.")
