"""The OpenAPI 3.1 document, derived from the catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from rest import oauth2
from rest.openapi import files as openapi_files
from rest.openapi.components import BUDGET_HEADERS, HEADERS, JSON, PARAMETERS, schema, security_of, security_schemes
from rest.openapi.components import parameters as references
from rest.openapi.examples import input_example
from rest.openapi.filters import filter_schemas
from rest.openapi.parameters import IDEMPOTENCY_KEY, id_parameter, parameters_of, search_schema
from rest.openapi.responses import RESPONSES, failures, problem_components, successes
from rest.openapi.schemas import schemas
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue, InputModel, Kind, Operation
from services.catalogue import problems as codes
from services.catalogue.naming import camel, pascal, words
from services.catalogue.problems import ProblemType
from services.engine.idempotency.keys import HEADER
from services.queries.limits import DEFAULTS, Limits

_ABOUT: Final = """\
The REST face of the gateway. The same operations are served as GraphQL at `/graphql`.

Every path answers HEAD where it answers GET, and OPTIONS. Writes honour `Prefer: return=minimal` (RFC 7240), lists can
be searched by QUERY (RFC 10008), and larger answers are compressed as `Accept-Encoding` says.

Instants are RFC 3339 with an offset; digits of a second beyond the sixth are cut off. Integers have 32 bits; `2.0` is
one. Lists in a query string are separated by commas, or the parameter is repeated; a comma within a text is `%2C`.

Every request costs points of a budget that both share. `RateLimit` gives the points left; with the header \
`X-Dry-Run: cost` a request is not executed, and only its cost is returned."""
_OF_RELATIONS: Final = (
    codes.UNAUTHENTICATED, codes.INVALID_TOKEN, codes.INSUFFICIENT_SCOPE, codes.NOT_FOUND, codes.TOO_COMPLEX,
    codes.VALIDATION_FAILED,
)  # fmt: skip


def openapi_document(
    catalogue: Catalogue, *, title: str, version: str, prefix: str, limits: Limits = DEFAULTS
) -> dict[str, Any]:
    """Return the document. `prefix` is the path where the API is mounted (`/api/v1`)."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    responses, parameters = dict(RESPONSES), {HEADER: IDEMPOTENCY_KEY}
    routes = list(rest_routes(catalogue))
    by_path = sorted(routes, key=lambda route: route.path)
    for route in by_path:
        taken = _parameters(route, limits)
        answers = successes(route, responses, _links(route, by_path))
        paths[prefix + route.path][route.method.lower()] = _operation(route, answers, taken)
        parameters |= taken
    file_paths = openapi_files.file_paths(catalogue)
    paths |= {f"{prefix}{path}": methods for path, methods in file_paths.items()}
    problems = problem_components(paths)
    searched = [route.resource for route in routes if route.is_search and route.resource is not None]
    searches = {f"{pascal(resource.name)}Search": search_schema(resource, limits) for resource in searched}
    shapes = {**schemas(catalogue, limits), **searches, **filter_schemas(searched, limits)}
    if file_paths:
        shapes["FileForm"] = openapi_files.form_schema(shapes["FileCreate"])
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": _tags(catalogue, routes),
        "paths": dict(paths),
        "components": {
            "schemas": shapes,
            "parameters": {
                **PARAMETERS,
                **(openapi_files.file_parameters(catalogue) if file_paths else {}),
                **dict(sorted(parameters.items())),
            },
            "headers": {**HEADERS, **(openapi_files.HEADERS if file_paths else {}), **BUDGET_HEADERS},
            "responses": responses | problems["responses"],
            "examples": problems["examples"],
            "securitySchemes": security_schemes(catalogue, prefix),
        },
    }


def _operation(route: RestRoute, answers: dict[str, Any], taken: Iterable[str]) -> dict[str, Any]:
    operation, name = route.operation, route.called
    description, problems, scopes = _about(route)
    if route.is_search:
        path = route.path.removesuffix("/search")
        body = f"As `GET {path}`, with the parameters as JSON. `QUERY {path}` takes the same body (RFC 10008)."
        name, description = f"search_{name.removeprefix('list_')}", f"{description.removesuffix('.')}: {body}"
    described: dict[str, Any] = {
        "operationId": camel(name),
        "tags": [route.path.split("/")[1]],
        "summary": description.split(".")[0].split(":")[0],
        "description": description,
        "parameters": [*references(*taken), *_conditions(route)],
        "responses": {**answers, **failures(problems)},
        **({"deprecated": True} if operation is not None and operation.deprecated is not None else {}),
        "security": [] if operation is not None and operation.scope is None else security_of(scopes),
    }
    if route.is_search and route.resource is not None:
        described["requestBody"] = {"required": False, "content": _content(f"{pascal(route.resource.name)}Search")}
    elif operation is not None and operation.input is not None:
        described["requestBody"] = _body(operation, operation.input)
    openapi_files.with_form(described, name)
    return described


def _about(route: RestRoute) -> tuple[str, Iterable[ProblemType], list[str]]:
    operation, relation = route.operation, route.relation
    if operation is not None:
        return operation.description, operation.problems, [operation.scope] if operation.scope else []
    assert relation is not None
    scopes = sorted({relation.source.read_scope, relation.target.read_scope})
    description = f"List the {words(relation.name)} of one {relation.source.noun}, a page at a time."
    return description, _OF_RELATIONS, scopes


def _parameters(route: RestRoute, limits: Limits) -> dict[str, Any]:
    """Return the parameters in the path, the header of a write and the query string, by component name."""
    found: dict[str, Any] = {}
    if "{id}" in route.path:
        found[f"{route.source.name}.key"] = id_parameter(route.source)
    if route.is_write:
        found[HEADER] = IDEMPOTENCY_KEY
    if route.resource is not None and route.shows_selection and not route.is_search:
        found |= parameters_of(route.resource, limits, is_list=route.is_list)
    return found


def _conditions(route: RestRoute) -> list[dict[str, str]]:
    if route.operation is not None and route.is_write:
        return references("if_match") if route.operation.on_a_row else []
    return [] if route.is_search else references("if_none_match")


def _body(operation: Operation, model: type[InputModel]) -> dict[str, Any]:
    example = {"example": input_example(operation)}
    content = _content(model.__name__, **example)
    if operation.kind is Kind.UPDATE:
        content["application/merge-patch+json"] = content[JSON]
    if operation.name in oauth2.BY_FORM:
        form = "LoginForm" if operation.name == oauth2.LOGIN else model.__name__
        content[oauth2.FORM] = {"schema": schema(form), **example}
    return {"required": any(field.is_required() for field in model.model_fields.values()), "content": content}


def _content(name: str, **example: Any) -> dict[str, Any]:
    return {JSON: {"schema": schema(name), **example}}


def _links(route: RestRoute, routes: Iterable[RestRoute]) -> dict[str, Any]:
    """Return links to the operations on the row: the one created or, where none can be, the first of a list."""
    operation = route.operation
    if operation is None or operation.resource is None or route.is_search:
        return {}
    operations = [other.operation for other in routes if other.operation is not None and not other.is_search]
    targets = [target for target in operations if target.resource is operation.resource]
    has_create = any(target.kind is Kind.CREATE for target in targets)
    if operation.kind is Kind.CREATE:
        row_id = "$response.body#/id"
    elif operation.kind is Kind.LIST and operation.where is None and not has_create:
        row_id = "$response.body#/data/0/id"
    else:
        return {}
    names = [camel(target.name) for target in targets if target.on_a_row]
    return {name: {"operationId": name, "parameters": {"id": row_id}} for name in names}


def _tags(catalogue: Catalogue, routes: Iterable[RestRoute]) -> list[dict[str, str]]:
    names = sorted({route.path.split("/")[1] for route in routes})
    descriptions = {resource.path: resource.description for resource in catalogue.resources.values()}
    return [{"name": name, "description": descriptions.get(name) or "Signing in and out."} for name in names]
