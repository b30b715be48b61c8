"""Authentication in the OpenAPI document.

Every credential is sent in `Authorization`, so that a generated client sends it once: `oauth2` describes how to get a
token, `bearer` how to send one. `X-API-Key` is mentioned in a description (docs/decisions/0028).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.catalogue import Catalogue


def security_of(*scopes: Iterable[str]) -> list[dict[str, list[str]]]:
    """Return the security requirements of an operation: a token with one of these sets of scopes."""
    return [*({"oauth2": list(alternative)} for alternative in scopes), {"bearer": []}]


def security_schemes(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    """Return the schemes that `security_of` names."""
    scopes = {}
    for scope in catalogue.scopes:
        plural, _, action = scope.partition(":")
        scopes[scope] = f"{'Read' if action == 'read' else 'Change'} {plural}."
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
