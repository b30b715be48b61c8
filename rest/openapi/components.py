"""Components that every OpenAPI document has, and references to components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.catalogue import Catalogue
from services.engine.idempotency.keys import REPLAYED

SCHEMA: Final = "#/components/schemas/"
RESPONSE: Final = "#/components/responses/"
JSON: Final = "application/json"
TEXT: Final[dict[str, Any]] = {"type": "string"}


def parameter(where: str, name: str, description: str, shape: dict[str, Any] = TEXT) -> dict[str, Any]:
    return {"name": name, "in": where, "description": description, "schema": shape}


def header(description: str, *examples: str) -> dict[str, Any]:
    return {"description": description, "schema": {**TEXT, "examples": list(examples)} if examples else TEXT}


PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "if_match": parameter(
        "header", "If-Match", "Execute the request only if the row has one of these versions (RFC 9110): entity tags "
        "from its `ETag`, separated by commas, or `*` for any.",
    ),
    "if_none_match": parameter(
        "header", "If-None-Match", "Respond with 304 if this is the current version (RFC 9110): entity tags from "
        "`ETag`, separated by commas, or `*` for any.",
    ),
}  # fmt: skip
HEADERS: Final = {
    "link": header("Links to the next, previous and first pages (RFC 8288), if they exist."),
    "accept_query": header("The media types that the method QUERY accepts here (RFC 10008)."),
    "location": header("The address of the new row."),
    "replayed": header("`true` if this is a repetition of the first response."),
    "retry_after": header("Seconds to wait before trying again."),
    "www_authenticate": header("How to sign in (RFC 6750)."),
    "etag": header("The version of the representation (RFC 9110); after a write, that of the row."),
}
BUDGET_HEADERS: Final = {
    "RateLimit-Policy": header(
        "The budgets that the request was charged to: points (`q`) per window (`w`, seconds).",
        '"default";q=120000;w=60',
    ),
    "RateLimit": header(
        "Points left in each budget (`r`), and the seconds until it is full again (`t`).", '"default";r=119979;t=1'
    ),
    "X-Request-Cost": header("Points that the request was charged.", "21"),
}
_COMPONENTS: Final = {REPLAYED: "replayed", "ETag": "etag"} | {name: name for name in BUDGET_HEADERS}


def schema(name: str) -> dict[str, str]:
    return {"$ref": SCHEMA + name}


def response(name: str) -> dict[str, str]:
    return {"$ref": RESPONSE + name}


def parameters(*names: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def headers(*names: str) -> dict[str, Any]:
    components = {name: _COMPONENTS.get(name, name.lower().replace("-", "_")) for name in names}
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in components.items()}


def described(kind: str, description: str) -> dict[str, str]:
    return {"type": kind, "description": description}


def record(
    title: str, description: str, properties: dict[str, Any], required: Sequence[str] = (), *, closed: bool = False
) -> dict[str, Any]:
    """Return the schema of an object, which allows no other members if it is closed."""
    return {
        "type": "object",
        "title": title,
        "description": description,
        **({"required": required} if required else {}),
        **({"additionalProperties": False} if closed else {}),
        "properties": properties,
    }


def security_of(*scopes: Iterable[str]) -> list[dict[str, list[str]]]:
    """Return the security requirements of an operation: a token with one of these sets of scopes."""
    return [*({"oauth2": list(alternative)} for alternative in scopes), {"bearer": []}]


def security_schemes(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    """Return the schemes that `security_of` names. Each credential goes into `Authorization` (docs/decisions/0028)."""
    scopes = {}
    for scope in catalogue.scopes:
        plural, _, action = scope.partition(":")
        scopes[scope] = f"{'Read' if action == 'read' else 'Change'} {plural}."
    flow = {"tokenUrl": f"{prefix}/auth/login", "scopes": scopes}
    bearer = "An access token (JWT) or an API key. A key is taken from `X-API-Key`, too."
    return {
        "oauth2": {**described("oauth2", "Sign in with user name and password."), "flows": {"password": flow}},
        "bearer": {"type": "http", "scheme": "bearer", "description": bearer},
    }
