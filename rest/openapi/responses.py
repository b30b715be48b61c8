"""Responses of the OpenAPI document, which operations refer to among the components.

The failures of an operation are listed by their status. The failures that any request can have (too large,
rate-limited, an internal error) are `default`, one response for all operations.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from rest.http.problems import PROBLEM_MEDIA_TYPE
from rest.openapi.budget import BUDGET_HEADERS
from rest.openapi.conditional import ETAG
from rest.openapi.examples import problem_example
from rest.openapi.schemas import SCHEMA
from rest.routes import RestRoute
from services.catalogue.naming import pascal
from services.catalogue.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    NOT_ACCEPTABLE,
    PAYLOAD_TOO_LARGE,
    PROBLEM_TYPES,
    QUOTA_EXCEEDED,
    TOO_COMPLEX,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    URI_TOO_LONG,
    ProblemType,
)
from services.engine.idempotency.keys import REPLAYED

RESPONSE: Final = "#/components/responses/"
DEFAULT: Final = "default"
_EXAMPLE: Final = "#/components/examples/"
_JSON: Final = "application/json"
_TEXT: Final = {"schema": {"type": "string"}}
_ANYWHERE: Final = (
    BAD_REQUEST, NOT_ACCEPTABLE, PAYLOAD_TOO_LARGE, URI_TOO_LONG, UNSUPPORTED_MEDIA_TYPE, QUOTA_EXCEEDED,
    TOO_MANY_REQUESTS, HEADERS_TOO_LARGE, INTERNAL_ERROR, UNAVAILABLE, DEADLINE_EXCEEDED,
)  # fmt: skip
_BY_STATUS: Final = {401: "WWW-Authenticate", 409: "Retry-After", 429: "Retry-After", 503: "Retry-After"}
_NAMED: Final = re.compile(rf'"{RESPONSE}([a-z0-9_.]+)"')

HEADERS: Final[dict[str, Any]] = {
    "link": {"description": "Links to the next, previous and first pages (RFC 8288), if they exist.", **_TEXT},
    "accept_query": {"description": "The media types that the method QUERY accepts here (RFC 10008).", **_TEXT},
    "location": {"description": "The address of the new row.", **_TEXT},
    "replayed": {"description": "`true` if this is a repetition of the first response.", **_TEXT},
    "retry_after": {"description": "Seconds to wait before trying again.", **_TEXT},
    "www_authenticate": {"description": "How to sign in (RFC 6750).", **_TEXT},
}  # fmt: skip
RESPONSES: Final[dict[str, dict[str, Any]]] = {
    "not_modified": {"description": "The caller already has the current version.", "headers": ETAG},
    "minimal": {"description": "Done. The response has no content, as `Prefer: return=minimal` requests."},
}
_BUDGET: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in BUDGET_HEADERS}


def failures(problems: Iterable[ProblemType]) -> dict[str, Any]:
    """Return references to responses by status; codes with the same status are examples of one response."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for problem in sorted({*problems, TOO_COMPLEX}, key=lambda kind: kind.code):
        by_status[problem.status].append(problem.code)
    references = {str(status): _reference(".".join(codes)) for status, codes in sorted(by_status.items())}
    return {**references, DEFAULT: _reference(DEFAULT)}


def failure(name: str) -> dict[str, Any]:
    """Return the response of a reference of `failures`, whose name consists of the codes."""
    kinds = sorted(_ANYWHERE, key=lambda kind: kind.status) if name == DEFAULT else _kinds(name)
    examples = {kind.code: {"$ref": _EXAMPLE + kind.code} for kind in kinds}
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMA}Problem"}, "examples": examples}}
    if name == DEFAULT:
        description = "The failures of any request: " + ", ".join(f"{k.status} `{k.code}`" for k in kinds) + "."
        return {"description": description, "headers": {**_headers("Retry-After"), **_BUDGET}, "content": content}
    response = {"description": " ".join(f"`{k.code}`: {k.title}" for k in kinds), "content": content}
    header = _BY_STATUS.get(kinds[0].status)
    return response if header is None else {**response, "headers": _headers(header)}


def problem_components(paths: Any) -> dict[str, dict[str, Any]]:
    """Return the components that paths refer to: the failures and their examples."""
    names = {DEFAULT, *_NAMED.findall(json.dumps(paths))} - RESPONSES.keys()
    failure_names = [name for name in sorted(names) if name == DEFAULT or set(name.split(".")) <= PROBLEM_TYPES.keys()]
    kinds = {kind for name in failure_names for kind in (_ANYWHERE if name == DEFAULT else _kinds(name))}
    examples = {kind.code: {"summary": kind.title, "value": problem_example(kind)} for kind in kinds}
    return {"responses": {name: failure(name) for name in failure_names}, "examples": dict(sorted(examples.items()))}


def successes(route: RestRoute, shared: dict[str, Any], links: dict[str, Any]) -> dict[str, Any]:
    """Return the successful responses of a route by status; those without links of their own are added to `shared`."""
    name, response = _success(route)
    if links:
        responses: dict[str, Any] = {str(route.status): {**response, "links": links}}
    else:
        shared.setdefault(name, response)
        responses = {str(route.status): _reference(name) if shared[name] == response else response}
    if (
        route.method in ("POST", "PATCH")
        and route.status == 200
        and route.resource is not None
        and not (route.is_search or route.is_batch)
    ):
        responses["204"] = _reference("minimal")
    return responses


def _success(route: RestRoute) -> tuple[str, dict[str, Any]]:
    """Return the name and the response of success."""
    headers = {**_BUDGET, **(_headers(REPLAYED) if route.is_write else {})}
    suffix = "Written" if route.is_write else ""
    resource = route.resource
    if route.status == 204:
        return "done", {"description": "Done. The response has no content.", "headers": headers}
    if resource is None:
        assert route.operation is not None
        assert isinstance(route.operation.result, type)
        result = route.operation.result.__name__
        return f"{result}{suffix}", _json("Done.", result, headers)
    if route.is_batch:
        schema = f"{pascal(resource.plural)}BatchResults"
        return schema, _json("The outcome of each entry, in order.", schema, headers)
    schema = f"{pascal(resource.name)}List" if route.is_list else pascal(resource.name)
    description = f"A page of {resource.nouns}." if route.is_list else f"The {resource.noun}."
    if route.is_search:
        return f"{schema}Found", _json(description, schema, headers)
    headers |= ETAG
    if route.is_list:
        headers |= _headers("Link", "Accept-Query")
    elif route.status == 201:
        return f"{schema}Created", _json(description, schema, headers | _headers("Location"))
    return f"{schema}{suffix}", _json(description, schema, headers)


def _json(description: str, schema: str, headers: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "headers": headers, "content": {_JSON: {"schema": {"$ref": SCHEMA + schema}}}}


def _kinds(name: str) -> list[ProblemType]:
    return [PROBLEM_TYPES[code] for code in name.split(".")]


def _reference(name: str) -> dict[str, str]:
    return {"$ref": RESPONSE + name}


def _headers(*names: str) -> dict[str, Any]:
    component = {REPLAYED: "replayed"}
    return {
        name: {"$ref": f"#/components/headers/{component.get(name, name.lower().replace('-', '_'))}"} for name in names
    }
