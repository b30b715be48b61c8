"""The parts of OAuth2 that are not JSON operations: forms as request bodies, and the server's metadata.

The form of `POST /auth/login` is the password grant (RFC 6749, 4.3.2), those of `/auth/introspect` and `/auth/revoke`
follow RFC 7662 and RFC 7009. They are translated into the JSON input of the same operations.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.catalogue import Catalogue, Problem
from services.catalogue.problems import BAD_REQUEST

LOGIN: Final = "login"
_ENDPOINTS: Final = {
    LOGIN: ("token", "none"),
    "introspect": ("introspection", "bearer"),
    "revoke": ("revocation", "none"),
}
"""The operations that are endpoints in the metadata, with the name and the authentication method of each."""
BY_FORM: Final = frozenset(_ENDPOINTS)
"""The operations that also accept a form."""
FORM: Final = "application/x-www-form-urlencoded"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"

_IGNORED: Final = ("client_id", "client_secret")
"""Client credentials (RFC 6749, 2.3.1), which are accepted and ignored."""


async def form_as_json(request: Request, operation: str) -> bytes:
    """Read a form as the operation's JSON input. Raises `validation_failed`, and `bad_request` for invalid UTF-8."""
    try:
        async with request.form(max_fields=10) as form:
            items = form.multi_items()
            pairs = [(name, value) for name, value in items if isinstance(value, str) and name not in _IGNORED]
    except HTTPException as error:
        raise Problem(BAD_REQUEST, error.detail) from None
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise Problem.field(name, "conflict", "This field is given twice.")
    fields = dict(pairs)
    if operation == LOGIN:
        if fields.pop("grant_type", "password") not in ("password", ""):
            raise Problem.field("grant_type", "choice", "Only the password grant is offered.")
        if not fields.get("scope"):
            fields.pop("scope", None)
    try:
        return orjson.dumps(fields)
    except TypeError:
        raise Problem(BAD_REQUEST, "The form is not valid UTF-8.") from None


def metadata(catalogue: Catalogue, issuer: str, prefix: str) -> dict[str, Any]:
    """Return the authorization server's metadata (RFC 8414, section 2). `issuer` is the gateway's own URL."""
    members: dict[str, Any] = {
        "issuer": issuer,
        "scopes_supported": list(catalogue.scopes),
        # There is no authorization endpoint, so no response type.
        "response_types_supported": [],
        "service_documentation": f"{issuer}/docs",
    }
    if LOGIN in catalogue.operations:
        members["grant_types_supported"] = ["password"]
    for operation, (name, auth_method) in _ENDPOINTS.items():
        if operation in catalogue.operations:
            members[f"{name}_endpoint"] = f"{issuer}{prefix}/{catalogue.operations[operation].address}"
            members[f"{name}_endpoint_auth_methods_supported"] = [auth_method]
    return members
