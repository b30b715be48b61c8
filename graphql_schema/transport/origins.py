"""Requests that a browser makes for somebody else's page.

A browser asks the gateway's leave (a CORS preflight) before it sends what a form could not have sent: a JSON body, a
header field of the page's own. What it sends unasked is therefore refused where a browser says, by `Sec-Fetch-Site` or
`Origin`, that a page of another site is behind it. WebSockets are never preflighted: they are judged by `Origin` alone.
See docs/decisions/0013-requests-without-preflight.md.
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
"""Header fields by which a client shows that it can send such: any of them, not empty."""

LOCAL: Final = r"https?://(localhost|([a-z0-9-]+\.)+localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
"""The origins of pages that the browser's own machine serves (RFC 6761, section 6.3), as a pattern."""

_FORMS: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""Media types that a browser sends unasked (Fetch, "CORS-safelisted request-header")."""
_LOCAL: Final = re.compile(LOCAL.encode())
_FOREIGN: Final = frozenset({b"cross-site", b"same-site"})


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins whose pages may call. `others` are those beside the gateway's own; `*` is all of them."""

    others: frozenset[bytes] = frozenset()
    local: bool = False
    """Whether those of LOCAL are among them."""

    @classmethod
    def of(cls, others: Iterable[str], *, local: bool = False) -> Origins:
        """From a setting's texts."""
        return cls(frozenset(each.lower().encode() for each in others), local)

    def allow(self, origin: bytes, host: bytes) -> bool:
        """Whether pages of an origin may call the gateway that was addressed as `host`."""
        origin = origin.lower()
        if self.local and _LOCAL.fullmatch(origin):
            return True
        # By the name alone: behind a proxy that ends TLS the gateway does not know its own scheme.
        return b"*" in self.others or origin in self.others or _name(origin.partition(b"://")[2]) == _name(host) != b""


def _name(authority: bytes) -> bytes:
    """A host and its port, which browsers leave out where it is the usual one, and proxies may not."""
    return authority.lower().removesuffix(b":80").removesuffix(b":443")


def is_preflighted(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a page of another site could not have sent these header fields without the gateway's leave."""
    if essence(headers.get(b"content-type", b"")) not in _FORMS:
        return True
    return AUTHORIZATION in headers or API_KEY in headers or any(headers.get(name, b"").strip() for name in MARKS)


def check_not_forged(headers: Mapping[bytes, bytes], origins: Origins) -> None:
    """Raises `csrf_suspected` for what a browser sent unasked, for a page of another site."""
    origin, host = headers.get(b"origin"), headers.get(b"host", b"")
    if origin is not None and origins.allow(origin, host):
        return
    if (origin is not None or headers.get(b"sec-fetch-site") in _FOREIGN) and not is_preflighted(headers):
        names = ", ".join(name.decode() for name in MARKS)
        raise Problem(CSRF_SUSPECTED, f"Send a body of application/json, or one of the header fields {names}.")


def check_origin(headers: Mapping[bytes, bytes], origins: Origins) -> None:
    """Raises `csrf_suspected` for a WebSocket of a page that may not call; programs send no `Origin`."""
    origin = headers.get(b"origin")
    if origin is not None and not origins.allow(origin, headers.get(b"host", b"")):
        raise Problem(CSRF_SUSPECTED, "Pages of this origin may not call: see the setting BACKEND_CORS_ORIGINS.")
