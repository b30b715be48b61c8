"""Conditional requests in the OpenAPI document: what goes in, and what comes back."""

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
        "description": "Do it only if the row has one of these versions (RFC 9110): entity tags as they came in its "
        "`ETag`, separated by commas, or `*` for any.",
        "schema": {"type": "string"},
    },
    IF_NONE_MATCH: {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answer 304 if it is still one of these versions (RFC 9110): entity tags as they came in "
        "`ETag`, separated by commas, or `*` for any.",
        "schema": {"type": "string"},
    },
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "etag": {
        "description": "The version of what is shown (RFC 9110); after a write, that of the row.",
        "schema": {"type": "string"},
    }
}


def conditions(route: RestRoute) -> list[dict[str, Any]]:
    """The header parameters of a route."""
    operation = route.operation
    if route.is_search:
        return []
    if operation is None or operation.is_read:
        return [{"$ref": f"#/components/parameters/{IF_NONE_MATCH}"}]
    return [{"$ref": f"#/components/parameters/{IF_MATCH}"}] if operation.on_a_row else []


def not_modified(route: RestRoute) -> dict[str, Any]:
    """The answer to a read that need not be sent again."""
    is_read = (route.operation is None or route.operation.is_read) and not route.is_search
    return {"304": {"$ref": "#/components/responses/not_modified"}} if is_read else {}
