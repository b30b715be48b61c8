"""The OpenAPI 3.1 document, derived from the catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from rest import oauth2
from rest.openapi import files as openapi_files
from rest.openapi.budget import ABOUT_BUDGETS, BUDGET_HEADERS
from rest.openapi.conditional import HEADERS, PARAMETERS, conditions, not_modified
from rest.openapi.examples import input_example
from rest.openapi.filters import filter_schemas
from rest.openapi.links import links_of
from rest.openapi.parameters import id_name, id_parameter, idempotency_key, parameters_of, search_schema
from rest.openapi.responses import HEADERS as RESPONSE_HEADERS
from rest.openapi.responses import RESPONSES, failures, problem_components, successes
from rest.openapi.schemas import SCHEMA, schemas
from rest.openapi.security import security_of, security_schemes
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue, Kind
from services.catalogue.naming import camel, pascal, words
from services.catalogue.problems import (
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    NOT_FOUND,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    VALIDATION_FAILED,
    ProblemType,
)
from services.catalogue.resources import Resource
from services.engine.idempotency.keys import HEADER
from services.queries.limits import DEFAULTS, Limits

_JSON: Final = "application/json"
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
    """Return the document. `prefix` is the path where the API is mounted (`/api/v1`)."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    responses = dict(RESPONSES)
    routes = sorted(rest_routes(catalogue), key=lambda route: route.path)
    for route in routes:
        answers = successes(route, responses, links_of(route, routes))
        paths[f"{prefix}{route.path}"][route.method.lower()] = _operation(route, answers)
    file_paths = openapi_files.file_paths(catalogue)
    paths |= {f"{prefix}{path}": methods for path, methods in file_paths.items()}
    problems = problem_components(paths)
    shapes = {**schemas(catalogue, limits), **_search_schemas(catalogue, limits)}
    if file_paths:
        shapes["FileForm"] = openapi_files.form_schema(shapes["FileCreate"])
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": f"{_ABOUT}\n{ABOUT_BUDGETS}"},
        "servers": [{"url": "/"}],
        "tags": _tags(catalogue),
        "paths": dict(paths),
        "components": {
            "schemas": shapes,
            "parameters": {
                **PARAMETERS,
                **(openapi_files.file_parameters(catalogue) if file_paths else {}),
                **_parameters(catalogue, limits),
            },
            "headers": {
                **RESPONSE_HEADERS, **HEADERS, **(openapi_files.HEADERS if file_paths else {}), **BUDGET_HEADERS,
            },
            "responses": responses | problems["responses"],
            "examples": problems["examples"],
            "securitySchemes": security_schemes(catalogue, prefix),
        },
    }  # fmt: skip


def _operation(route: RestRoute, answers: dict[str, Any]) -> dict[str, Any]:
    name, description, problems, scopes, is_public = _about(route)
    described: dict[str, Any] = {
        "operationId": camel(name),
        "tags": [route.path.split("/")[1]],
        "summary": description.split(".")[0].split(":")[0],
        "description": description,
        "parameters": [*_references(route), *conditions(route)],
        "responses": {**answers, **not_modified(route), **failures(problems)},
        **({"deprecated": True} if route.operation is not None and route.operation.deprecated is not None else {}),
        "security": [] if is_public else security_of(scopes),
    }
    body = _body(route)
    if body is not None:
        described["requestBody"] = body
    openapi_files.with_form(described, name)
    return described


def _references(route: RestRoute) -> list[dict[str, str]]:
    """Return references to the parameters in the path, the query string and the header of a write."""
    names = [id_name(_source(route))] if "{id}" in route.path else []
    if route.is_write:
        names.append(HEADER)
    if route.resource is not None and route.shows_selection and not route.is_search:
        names += parameters_of(route.resource, DEFAULTS, is_list=route.is_list)
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _about(route: RestRoute) -> tuple[str, str, Iterable[ProblemType], list[str], bool]:
    """Return name, description, problems, scopes, and whether the route is public."""
    if route.is_search:
        name, description, problems, scopes, is_public = _about(replace(route, is_search=False))
        path = route.path.removesuffix("/search")
        body = f"As `GET {path}`, with the parameters as JSON. `QUERY {path}` takes the same body (RFC 10008)."
        name, description = f"search_{name.removeprefix('list_')}", f"{description.removesuffix('.')}: {body}"
        return name, description, problems, scopes, is_public
    operation, relation = route.operation, route.relation
    if operation is not None:
        return (
            operation.name, operation.description, operation.problems,
            [operation.scope] if operation.scope else [], operation.scope is None,
        )  # fmt: skip
    assert relation is not None
    problems = (UNAUTHENTICATED, INVALID_TOKEN, INSUFFICIENT_SCOPE, NOT_FOUND, TOO_COMPLEX, VALIDATION_FAILED)
    scopes = sorted({relation.source.read_scope, relation.target.read_scope})
    description = f"List the {words(relation.name)} of one {relation.source.noun}, a page at a time."
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
    shape = {"schema": {"$ref": f"{SCHEMA}{operation.input.__name__}"}, "example": input_example(operation)}
    content: dict[str, Any] = {_JSON: shape}
    if operation.kind is Kind.UPDATE:
        content["application/merge-patch+json"] = shape
    if operation.name in oauth2.BY_FORM:
        form = "LoginForm" if operation.name == oauth2.LOGIN else operation.input.__name__
        content[oauth2.FORM] = {"schema": {"$ref": f"{SCHEMA}{form}"}, "example": input_example(operation)}
    required = any(field.is_required() for field in operation.input.model_fields.values())
    return {"required": required, "content": content}


def _parameters(catalogue: Catalogue, limits: Limits) -> dict[str, Any]:
    parameters: dict[str, Any] = {HEADER: idempotency_key()}
    for route in rest_routes(catalogue):
        if "{id}" in route.path:
            parameters[id_name(_source(route))] = id_parameter(_source(route))
        if route.resource is not None and route.shows_selection and not route.is_search:
            parameters |= parameters_of(route.resource, limits, is_list=route.is_list)
    return dict(sorted(parameters.items()))


def _search_name(route: RestRoute) -> str:
    assert route.resource is not None
    return f"{pascal(route.resource.name)}Search"


def _search_schemas(catalogue: Catalogue, limits: Limits) -> dict[str, Any]:
    searched = {route.resource: _search_name(route) for route in rest_routes(catalogue) if route.is_search}
    resources = [resource for resource in searched if resource is not None]
    return {
        **{searched[resource]: search_schema(resource, limits) for resource in resources},
        **filter_schemas(resources, limits),
    }


def _tags(catalogue: Catalogue) -> list[dict[str, str]]:
    names = sorted({route.path.split("/")[1] for route in rest_routes(catalogue)})
    descriptions = {resource.path: resource.description for resource in catalogue.resources.values()}
    return [{"name": name, "description": descriptions.get(name) or "Signing in and out."} for name in names]
