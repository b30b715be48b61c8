"""Conditional requests in the OpenAPI document: parameters and responses."""

from __future__ import annotations

from typing import Any, Final

from rest.routes import RestRoute

IF_MATCH: Final = "if_match"
IF_NONE_MATCH: Final = "if_none_match"
ETAG: Final = {"ETag": {"$ref": "#/components/headers/etag"}}

PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    IF_MATCH: {
        "name": "If-Match",
        "in": "header",
        "description": "Execute the request only if the row has one of these versions (RFC 9110): entity tags from its "
        "`ETag`, separated by commas, or `*` for any.",
        "schema": {"type": "string"},
    },
    IF_NONE_MATCH: {
        "name": "If-None-Match",
        "in": "header",
        "description": "Respond with 304 if this is the current version (RFC 9110): entity tags from `ETag`, separated "
        "by commas, or `*` for any.",
        "schema": {"type": "string"},
    },
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "etag": {
        "description": "The version of the representation (RFC 9110); after a write, that of the row.",
        "schema": {"type": "string"},
    }
}


def conditions(route: RestRoute) -> list[dict[str, Any]]:
    """Return the header parameters of a route."""
    operation = route.operation
    if route.is_search:
        return []
    if operation is None or operation.is_read:
        return [{"$ref": f"#/components/parameters/{IF_NONE_MATCH}"}]
    return [{"$ref": f"#/components/parameters/{IF_MATCH}"}] if operation.on_a_row else []


def not_modified(route: RestRoute) -> dict[str, Any]:
    """Return the response 304 of a read."""
    is_read = (route.operation is None or route.operation.is_read) and not route.is_search
    return {"304": {"$ref": "#/components/responses/not_modified"}} if is_read else {}
