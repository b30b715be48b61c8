"""How callers say who they are, in the OpenAPI document.

Every credential goes into `Authorization`, so that a generated client sends it once: `oauth2` is how to get a token,
`bearer` how to send what one has. `X-API-Key` is told of in words (docs/decisions/0028).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.catalogue import Catalogue


def security_of(*scopes: Iterable[str]) -> list[dict[str, list[str]]]:
    """What an operation asks of its caller: a token with the scopes of one of these."""
    return [*({"oauth2": list(each)} for each in scopes), {"bearer": []}]


def security_schemes(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    """The schemes that `security_of` names."""
    scopes = {scope: _scope_words(scope) for scope in catalogue.scopes}
    flow = {"tokenUrl": f"{prefix}/auth/login", "scopes": scopes}
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "Sign in with user name and password.",
            "flows": {"password": flow},
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token (JWT) or an API key. A key is taken from `X-API-Key`, too.",
        },
    }


def _scope_words(scope: str) -> str:
    what, _, action = scope.partition(":")
    return f"{'Read' if action == 'read' else 'Change'} {what}."
