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
from rest.openapi.components import BUDGET_HEADERS, JSON, RESPONSE, headers, response, schema
from rest.openapi.examples import problem_example
from rest.routes import RestRoute
from services.catalogue import problems as codes
from services.catalogue.naming import pascal
from services.catalogue.problems import PROBLEM_TYPES, ProblemType
from services.engine.idempotency.keys import REPLAYED

DEFAULT: Final = "default"
_ANYWHERE: Final = (
    codes.BAD_REQUEST, codes.NOT_ACCEPTABLE, codes.PAYLOAD_TOO_LARGE, codes.URI_TOO_LONG, codes.UNSUPPORTED_MEDIA_TYPE,
    codes.QUOTA_EXCEEDED, codes.TOO_MANY_REQUESTS, codes.HEADERS_TOO_LARGE, codes.INTERNAL_ERROR, codes.UNAVAILABLE,
    codes.DEADLINE_EXCEEDED,
)  # fmt: skip
_BY_STATUS: Final = {401: "WWW-Authenticate", 409: "Retry-After", 429: "Retry-After", 503: "Retry-After"}
_NAMED: Final = re.compile(rf'"{RESPONSE}([a-z0-9_.]+)"')
RESPONSES: Final[dict[str, dict[str, Any]]] = {
    "not_modified": {"description": "The caller already has the current version.", "headers": headers("ETag")},
    "minimal": {"description": "Done. The response has no content, as `Prefer: return=minimal` requests."},
}


def failures(problems: Iterable[ProblemType]) -> dict[str, Any]:
    """Return references to responses by status; codes with the same status are examples of one response."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for problem in sorted({*problems, codes.TOO_COMPLEX}, key=lambda kind: kind.code):
        by_status[problem.status].append(problem.code)
    references = {str(status): response(".".join(found)) for status, found in sorted(by_status.items())}
    return {**references, DEFAULT: response(DEFAULT)}


def failure(name: str) -> dict[str, Any]:
    """Return the response of a reference of `failures`, whose name consists of the codes."""
    kinds = _kinds(name)
    examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
    content = {PROBLEM_MEDIA_TYPE: {"schema": schema("Problem"), "examples": examples}}
    if name == DEFAULT:
        description = "The failures of any request: " + ", ".join(f"{k.status} `{k.code}`" for k in kinds) + "."
        return {"description": description, "headers": headers("Retry-After", *BUDGET_HEADERS), "content": content}
    found = {"description": " ".join(f"`{k.code}`: {k.title}" for k in kinds), "content": content}
    header = _BY_STATUS.get(kinds[0].status)
    return found if header is None else {**found, "headers": headers(header)}


def problem_components(paths: Any) -> dict[str, dict[str, Any]]:
    """Return the components that paths refer to: the failures and their examples."""
    names = {DEFAULT, *_NAMED.findall(json.dumps(paths))} - RESPONSES.keys()
    failure_names = [name for name in sorted(names) if name == DEFAULT or set(name.split(".")) <= PROBLEM_TYPES.keys()]
    kinds = {kind for name in failure_names for kind in _kinds(name)}
    examples = {kind.code: {"summary": kind.title, "value": problem_example(kind)} for kind in kinds}
    return {"responses": {name: failure(name) for name in failure_names}, "examples": dict(sorted(examples.items()))}


def successes(route: RestRoute, shared: dict[str, Any], links: dict[str, Any]) -> dict[str, Any]:
    """Return the successful responses of a route by status; those without links of their own are added to `shared`."""
    name, found = _success(route)
    if links:
        responses: dict[str, Any] = {str(route.status): {**found, "links": links}}
    else:
        shared.setdefault(name, found)
        responses = {str(route.status): response(name) if shared[name] == found else found}
    shows_row = route.resource is not None and not (route.is_search or route.is_batch)
    if route.method in ("POST", "PATCH") and route.status == 200 and shows_row:
        responses["204"] = response("minimal")
    if not (route.is_write or route.is_search):
        responses["304"] = response("not_modified")
    return responses


def _success(route: RestRoute) -> tuple[str, dict[str, Any]]:
    """Return the name and the response of success."""
    fields = [*BUDGET_HEADERS, *([REPLAYED] if route.is_write else [])]
    suffix = "Written" if route.is_write else ""
    resource = route.resource
    if route.status == 204:
        return "done", {"description": "Done. The response has no content.", "headers": headers(*fields)}
    if resource is None:
        assert route.operation is not None
        assert isinstance(route.operation.result, type)
        result = route.operation.result.__name__
        return f"{result}{suffix}", _json("Done.", result, fields)
    if route.is_batch:
        name = f"{pascal(resource.plural)}BatchResults"
        return name, _json("The outcome of each entry, in order.", name, fields)
    name = f"{pascal(resource.name)}List" if route.is_list else pascal(resource.name)
    description = f"A page of {resource.nouns}." if route.is_list else f"The {resource.noun}."
    if route.is_search:
        return f"{name}Found", _json(description, name, fields)
    fields.append("ETag")
    if route.is_list:
        fields += ["Link", "Accept-Query"]
    elif route.status == 201:
        fields.append("Location")
        suffix = "Created"
    return f"{name}{suffix}", _json(description, name, fields)


def _json(description: str, name: str, fields: Iterable[str]) -> dict[str, Any]:
    return {"description": description, "headers": headers(*fields), "content": {JSON: {"schema": schema(name)}}}


def _kinds(name: str) -> list[ProblemType]:
    if name == DEFAULT:
        return sorted(_ANYWHERE, key=lambda kind: kind.status)
    return [PROBLEM_TYPES[code] for code in name.split(".")]
