"""The OpenAPI 3.1 document, derived from the catalogue."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from rest import oauth2, openapi_files
from rest.openapi_budget import ABOUT_BUDGETS, BUDGET_HEADERS, with_budget_headers
from rest.openapi_conditional import ETAG, HEADERS, PARAMETERS, RESPONSES, conditions, not_modified
from rest.openapi_filters import filter_name, filter_schema
from rest.openapi_links import links_of
from rest.openapi_parameters import id_parameter, idempotency_key, parameters_of, search_schema
from rest.openapi_schemas import SCHEMA, input_example, problem_example, schemas
from rest.problems import PROBLEM_MEDIA_TYPE
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue, Kind, Resource
from services.catalogue.limits import DEFAULTS, Limits
from services.catalogue.naming import camel, pascal, words
from services.catalogue.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    HEADERS_TOO_LARGE,
    INSUFFICIENT_SCOPE,
    INTERNAL_ERROR,
    INVALID_TOKEN,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    PROBLEM_TYPES,
    QUOTA_EXCEEDED,
    TOO_COMPLEX,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    URI_TOO_LONG,
    VALIDATION_FAILED,
    ProblemType,
)
from services.idempotency.keys import HEADER, REPLAYED

_JSON: Final = "application/json"
_LINKS: Final = "To the next page, the one before, and the first (RFC 8288), as far as there are such."
_ABOUT: Final = """\
The REST face of the gateway. The same operations are served as GraphQL at `/graphql`.

Every path answers HEAD where it answers GET, and OPTIONS. Writes honour `Prefer: return=minimal` (RFC 7240), lists can
be searched by QUERY (RFC 10008), and larger answers are compressed as `Accept-Encoding` says.

Instants are RFC 3339 with an offset; digits of a second beyond the sixth are cut off. Integers have 32 bits; `2.0` is
one. Lists in a query string are separated by commas, or the parameter is repeated; a comma within a text is `%2C`.
"""


def openapi_document(
    catalogue: Catalogue, *, title: str, version: str, prefix: str, limits: Limits = DEFAULTS
) -> dict[str, Any]:
    """The document, ready for JSON. `prefix` is where the API is mounted (`/api/v1`)."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    routes = sorted(rest_routes(catalogue), key=lambda route: route.path)
    for route in routes:
        described = paths[f"{prefix}{route.path}"][route.method.lower()] = _operation(route, limits)
        links = links_of(route, routes)
        if links:
            described["responses"][str(route.status)]["links"] = links
    of_files = openapi_files.file_paths(catalogue, partial(failures, has_body=False))
    paths |= {f"{prefix}{path}": methods for path, methods in of_files.items()}
    known = openapi_files if of_files else None
    shown = json.dumps(paths)
    examples = {each: f"#/components/examples/{each.code}" for each in PROBLEM_TYPES.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": f"{_ABOUT}\n{ABOUT_BUDGETS}"},
        "servers": [{"url": "/"}],
        "tags": [_tag(name, catalogue) for name in _tags(catalogue)],
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas(catalogue, limits), **_search_schemas(catalogue, limits)},
            "parameters": {**PARAMETERS, **(known.PARAMETERS if known else {}), **_parameters(catalogue, limits)},
            "headers": {**HEADERS, **(known.HEADERS if known else {}), **BUDGET_HEADERS},
            "responses": RESPONSES,
            "examples": {
                each.code: {"summary": each.title, "value": problem_example(each)}
                for each, reference in examples.items()
                if f'"{reference}"' in shown
            },
            "securitySchemes": _security_schemes(catalogue, prefix),
        },
    }


def _operation(route: RestRoute, limits: Limits) -> dict[str, Any]:
    name, description, problems, scopes, open_to_all = _about(route)
    parameters = [id_parameter(_source(route))] if "{id}" in route.path else []
    if route.is_write:
        parameters.append({"$ref": f"#/components/parameters/{HEADER}"})
    if route.resource is not None and route.shows_selection and not route.is_search:
        named = parameters_of(route.resource, limits, is_list=route.is_list)
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in named]
    conditional = conditions(route)
    parameters += conditional
    malformed = [BAD_REQUEST] if conditional else []
    found: dict[str, Any] = {
        "operationId": camel(name),
        "tags": [route.path.split("/")[1]],
        "summary": description.split(".")[0].split(":")[0],
        "description": description,
        "parameters": parameters,
        "responses": with_budget_headers(
            {
                **_successes(route),
                **not_modified(route),
                **failures([*problems, *malformed], has_body=route.method in ("POST", "PATCH")),
            }
        ),
        **({"deprecated": True} if route.operation is not None and route.operation.deprecated is not None else {}),
        "security": [] if open_to_all else [{"oauth2": scopes}, {"bearer": []}, {"api_key": []}],
    }
    body = _body(route)
    if body is not None:
        found["requestBody"] = body
    openapi_files.with_form(found, name, partial(_budgeted, has_body=True))
    return found


def _budgeted(problems: Iterable[ProblemType], *, has_body: bool) -> dict[str, Any]:
    return with_budget_headers(failures(problems, has_body=has_body))


def _about(route: RestRoute) -> tuple[str, str, Iterable[ProblemType], list[str], bool]:
    """Name, description, problems, scopes, and whether it is open to everybody."""
    if route.is_search:
        listed = _about(replace(route, is_search=False))
        path = route.path.removesuffix("/search")
        how = f"As `GET {path}`, with the parameters as JSON. `QUERY {path}` takes the same body (RFC 10008)."
        return f"search_{listed[0].removeprefix('list_')}", f"{listed[1].removesuffix('.')}: {how}", *listed[2:]
    operation, relation = route.operation, route.relation
    if operation is not None:
        return (
            operation.name, operation.description, operation.problems,
            [operation.scope] if operation.scope else [], operation.scope is None,
        )  # fmt: skip
    assert relation is not None
    problems = (UNAUTHENTICATED, INVALID_TOKEN, INSUFFICIENT_SCOPE, NOT_FOUND, TOO_COMPLEX, VALIDATION_FAILED)
    scopes = sorted({relation.source.read_scope, relation.target.read_scope})
    what = words(relation.name)
    description = f"List the {what} of one {relation.source.noun}, a page at a time."
    return f"list_{relation.source.name}_{relation.name}", description, problems, scopes, False


def _source(route: RestRoute) -> Resource[Any]:
    resource = route.relation.source if route.relation is not None else route.operation and route.operation.resource
    assert resource
    return resource


def _body(route: RestRoute) -> dict[str, Any] | None:
    operation = route.operation
    if route.is_search and route.resource is not None:
        return {"required": False, "content": {_JSON: {"schema": {"$ref": f"{SCHEMA}{_search_name(route)}"}}}}
    if operation is None or operation.input is None:
        return None
    shape: dict[str, Any] = {"schema": {"$ref": f"{SCHEMA}{operation.input.__name__}"}}
    example = input_example(operation.input)
    if example:
        shape["example"] = example
    content: dict[str, Any] = {_JSON: shape}
    if operation.kind is Kind.UPDATE:
        content["application/merge-patch+json"] = shape
    if operation.name in oauth2.BY_FORM:
        form = "LoginForm" if operation.name == oauth2.LOGIN else operation.input.__name__
        content[oauth2.FORM] = {"schema": {"$ref": f"{SCHEMA}{form}"}}
    required = any(field.is_required() for field in operation.input.model_fields.values())
    return {"required": required, "content": content}


def _successes(route: RestRoute) -> dict[str, Any]:
    found = {str(route.status): _success(route)}
    if (
        route.method in ("POST", "PATCH")
        and route.status == 200
        and route.resource is not None
        and not (route.is_search or route.is_batch)
    ):
        found["204"] = {"description": "Done, and shown to nobody, as `Prefer: return=minimal` asks."}
    return found


def _success(route: RestRoute) -> dict[str, Any]:
    found = _shown(route)
    if route.is_write:
        about = {"description": "`true` where this is the first answer again.", "schema": {"type": "string"}}
        found["headers"] = {**found.get("headers", {}), REPLAYED: about}
    return found


def _shown(route: RestRoute) -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done; there is nothing to say."}
    resource = route.resource
    if resource is None:
        assert route.operation is not None
        assert isinstance(route.operation.result, type)
        return {
            "description": "Done.",
            "content": {_JSON: {"schema": {"$ref": SCHEMA + route.operation.result.__name__}}},
        }
    if route.is_batch:
        shape = {"schema": {"$ref": f"{SCHEMA}{pascal(resource.plural)}BatchResults"}}
        return {"description": "What has become of each entry, in their order.", "content": {_JSON: shape}}
    name = f"{pascal(resource.name)}List" if route.is_list else pascal(resource.name)
    found: dict[str, Any] = {
        "description": f"A page of {resource.nouns}." if route.is_list else f"The {resource.noun}.",
        "content": {_JSON: {"schema": {"$ref": SCHEMA + name}}},
    }
    text = {"schema": {"type": "string"}}
    if route.is_search:
        return found
    found["headers"] = dict(ETAG)
    if route.is_list:
        found["headers"] |= {
            "Link": {"description": _LINKS, **text},
            "Accept-Query": {"description": "What the method QUERY takes here (RFC 10008).", **text},
        }
    elif route.status == 201:
        found["headers"]["Location"] = {"description": "Where it can be read.", **text}
    return found


def failures(problems: Iterable[ProblemType], *, has_body: bool) -> dict[str, Any]:
    """Responses by status; the codes that share one are examples of it."""
    more = (BAD_REQUEST, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE) if has_body else ()
    always = (
        NOT_ACCEPTABLE, URI_TOO_LONG, TOO_COMPLEX, QUOTA_EXCEEDED, TOO_MANY_REQUESTS, HEADERS_TOO_LARGE,
        INTERNAL_ERROR, UNAVAILABLE, DEADLINE_EXCEEDED,
    )  # fmt: skip
    by_status: dict[int, list[ProblemType]] = defaultdict(list)
    for problem in {*problems, *more, *always}:
        by_status[problem.status].append(problem)
    found = {}
    for status, kinds in sorted(by_status.items()):
        kinds.sort(key=lambda kind: kind.code)
        examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
        content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMA}Problem"}, "examples": examples}}
        response: dict[str, Any] = {
            "description": " ".join(f"`{k.code}`: {k.title}" for k in kinds),
            "content": content,
        }
        headers = {401: "WWW-Authenticate", 409: "Retry-After", 429: "Retry-After", 503: "Retry-After"}
        if status in headers:
            response["headers"] = {headers[status]: {"schema": {"type": "string"}}}
        found[str(status)] = response
    return found


def _parameters(catalogue: Catalogue, limits: Limits) -> dict[str, Any]:
    found: dict[str, Any] = {HEADER: idempotency_key()}
    for route in rest_routes(catalogue):
        if route.resource is not None and route.shows_selection and not route.is_search:
            found |= parameters_of(route.resource, limits, is_list=route.is_list)
    return dict(sorted(found.items()))


def _search_name(route: RestRoute) -> str:
    assert route.resource is not None
    return f"{pascal(route.resource.name)}Search"


def _search_schemas(catalogue: Catalogue, limits: Limits) -> dict[str, Any]:
    searched = {route.resource: _search_name(route) for route in rest_routes(catalogue) if route.is_search}
    found: dict[str, Any] = {}
    for resource, name in searched.items():
        if resource is not None:
            found |= {name: search_schema(resource, limits), filter_name(resource): filter_schema(resource, limits)}
    return found


def _security_schemes(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    scopes = {scope: _scope_words(scope) for scope in catalogue.scopes}
    flow = {"tokenUrl": f"{prefix}/auth/login", "scopes": scopes}
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "Sign in with user name and password.",
            "flows": {"password": flow},
        },
        "bearer": {"type": "http", "scheme": "bearer", "description": "An access token (JWT) or an API key."},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    }


def _scope_words(scope: str) -> str:
    what, _, action = scope.partition(":")
    return f"{'Read' if action == 'read' else 'Change'} {what}."


def _tags(catalogue: Catalogue) -> list[str]:
    return sorted({route.path.split("/")[1] for route in rest_routes(catalogue)})


def _tag(name: str, catalogue: Catalogue) -> dict[str, str]:
    resource = next((each for each in catalogue.resources.values() if each.path == name), None)
    return {"name": name, "description": resource.description if resource else "Signing in and out."}
