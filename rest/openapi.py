"""The OpenAPI 3.1 document, derived from the catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from rest import oauth2
from rest.openapi_parameters import id_parameter, parameters_of
from rest.problems import PROBLEM_MEDIA_TYPE
from rest.routes import RestRoute, rest_routes
from services.catalogue import Catalogue, Kind, Resource
from services.catalogue.models import fields_of
from services.catalogue.problems import (
    BAD_REQUEST,
    INSUFFICIENT_SCOPE,
    INTERNAL_ERROR,
    INVALID_TOKEN,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    PROBLEM_TYPES,
    UNAUTHENTICATED,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
    ProblemType,
)

_JSON: Final = "application/json"
_SCHEMA: Final = "#/components/schemas/"

_PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "A failure (RFC 9457). Each code is documented at its `type`.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Where this kind of problem is documented.",
        },
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "code": {"type": "string", "description": "The kind of problem, for programs."},
        "detail": {"type": "string", "description": "What happened this time."},
        "errors": {"type": "array", "items": {"$ref": f"{_SCHEMA}FieldError"}, "description": "The fields at fault."},
        "scope": {"type": "string", "description": "The scope that is missing."},
        "retry_after": {"type": "integer", "description": "Seconds to wait."},
        "request_id": {"type": "string", "description": "Names the request to the operator."},
    },
}
_FIELD_ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "FieldError",
    "description": "What is wrong with one field or parameter.",
    "required": ["field", "code", "message"],
    "properties": {
        "field": {"type": "string", "description": "The path to it, such as `filter.status.in[0]`."},
        "code": {"type": "string", "description": "What is wrong, for programs."},
        "message": {"type": "string", "description": "What is wrong, in words."},
    },
}


def openapi_document(catalogue: Catalogue, *, title: str, version: str, prefix: str) -> dict[str, Any]:
    """The document, ready for JSON. `prefix` is where the API is mounted (`/api/v1`)."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in sorted(rest_routes(catalogue), key=lambda route: route.path):
        paths[f"{prefix}{route.path}"][route.method.lower()] = _operation(catalogue, route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "The REST face of the gateway. The same operations are served as GraphQL at `/graphql`.",
        },
        "servers": [{"url": "/"}],
        "tags": [_tag(name, catalogue) for name in _tags(catalogue)],
        "paths": dict(paths),
        "components": {
            "schemas": _schemas(catalogue),
            "parameters": _parameters(catalogue),
            "examples": {
                each.code: {"summary": each.title, "value": _example(each)} for each in PROBLEM_TYPES.values()
            },
            "securitySchemes": _security_schemes(catalogue, prefix),
        },
    }


def _operation(catalogue: Catalogue, route: RestRoute) -> dict[str, Any]:
    name, description, problems, scopes, open_to_all = _about(route)
    parameters = [id_parameter(_source(route))] if "{id}" in route.path else []
    if route.resource is not None:
        named = parameters_of(route.resource, is_list=route.is_list)
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in named]
    found: dict[str, Any] = {
        "operationId": _camel(name),
        "tags": [route.path.split("/")[1]],
        "summary": description.split(".")[0].split(":")[0],
        "description": description,
        "parameters": parameters,
        "responses": {
            str(route.status): _success(route),
            **_failures(problems, has_body=route.method in ("POST", "PATCH")),
        },
        "security": [] if open_to_all else [{"oauth2": scopes}, {"bearer": []}],
    }
    body = _body(route)
    if body is not None:
        found["requestBody"] = body
    return found


def _about(route: RestRoute) -> tuple[str, str, Iterable[ProblemType], list[str], bool]:
    """Name, description, problems, scopes, and whether it is open to everybody."""
    operation, relation = route.operation, route.relation
    if operation is not None:
        return (
            operation.name, operation.description, operation.problems,
            [operation.scope] if operation.scope else [], operation.scope is None,
        )  # fmt: skip
    assert relation is not None
    problems = (UNAUTHENTICATED, INVALID_TOKEN, INSUFFICIENT_SCOPE, NOT_FOUND, VALIDATION_FAILED)
    scopes = sorted({relation.source.read_scope, relation.target.read_scope})
    what = relation.name.replace("_", " ")
    description = f"List the {what} of one {relation.source.name}, a page at a time."
    return f"list_{relation.source.name}_{relation.name}", description, problems, scopes, False


def _source(route: RestRoute) -> Resource[Any]:
    resource = route.relation.source if route.relation is not None else route.operation and route.operation.resource
    assert resource
    return resource


def _body(route: RestRoute) -> dict[str, Any] | None:
    operation = route.operation
    if operation is None or operation.input is None:
        return None
    schema = {"$ref": f"{_SCHEMA}{operation.input.__name__}"}
    content: dict[str, Any] = {_JSON: {"schema": schema}}
    if operation.kind is Kind.UPDATE:
        content["application/merge-patch+json"] = {"schema": schema}
    if operation.name == oauth2.OPERATION:
        content[oauth2.FORM] = {"schema": {"$ref": f"{_SCHEMA}LoginForm"}}
    required = any(field.is_required() for field in operation.input.model_fields.values())
    return {"required": required, "content": content}


def _success(route: RestRoute) -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done; there is nothing to say."}
    resource = route.resource
    if resource is None:
        assert route.operation is not None
        assert isinstance(route.operation.result, type)
        return {
            "description": "Done.",
            "content": {_JSON: {"schema": {"$ref": _SCHEMA + route.operation.result.__name__}}},
        }
    name = f"{_pascal(resource.name)}List" if route.is_list else _pascal(resource.name)
    found: dict[str, Any] = {
        "description": f"A page of {resource.plural}." if route.is_list else f"The {resource.name}.",
        "content": {_JSON: {"schema": {"$ref": _SCHEMA + name}}},
    }
    text = {"schema": {"type": "string"}}
    if route.is_list:
        found["headers"] = {"Link": {"description": "The next page (RFC 8288), if there is one.", **text}}
    elif route.status == 201:
        found["headers"] = {"Location": {"description": "Where it can be read.", **text}}
    return found


def _failures(problems: Iterable[ProblemType], *, has_body: bool) -> dict[str, Any]:
    """Responses by status; the codes that share one are examples of it."""
    more = (BAD_REQUEST, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE) if has_body else ()
    by_status: dict[int, list[ProblemType]] = defaultdict(list)
    for problem in {*problems, *more, INTERNAL_ERROR}:
        by_status[problem.status].append(problem)
    found = {}
    for status, kinds in sorted(by_status.items()):
        kinds.sort(key=lambda kind: kind.code)
        examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
        content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMA}Problem"}, "examples": examples}}
        response: dict[str, Any] = {
            "description": " ".join(f"`{k.code}`: {k.title}" for k in kinds),
            "content": content,
        }
        headers = {401: "WWW-Authenticate", 429: "Retry-After"}
        if status in headers:
            response["headers"] = {headers[status]: {"schema": {"type": "string"}}}
        found[str(status)] = response
    return found


def _example(kind: ProblemType) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": kind.uri, "title": kind.title, "status": kind.status, "code": kind.code, "detail": kind.title,
    }  # fmt: skip
    if kind is VALIDATION_FAILED:
        found["errors"] = [{"field": "title", "code": "required", "message": "This field is required."}]
    return found


def _parameters(catalogue: Catalogue) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for route in rest_routes(catalogue):
        if route.resource is not None:
            found |= parameters_of(route.resource, is_list=route.is_list)
    return dict(sorted(found.items()))


def _schemas(catalogue: Catalogue) -> dict[str, Any]:
    models: dict[Any, None] = {}
    for operation in catalogue.operations.values():
        if operation.input is not None:
            models[(operation.input, "validation")] = None
        if isinstance(operation.result, type):
            models[(operation.result, "serialization")] = None
    for resource in catalogue.resources.values():
        models[(resource.read, "serialization")] = None
    _, generated = models_json_schema(list(models), ref_template=_SCHEMA + "{model}")
    schemas: dict[str, Any] = generated["$defs"]
    for resource in catalogue.resources.values():
        schemas[_pascal(resource.name)] = _resource_schema(resource, schemas.pop(resource.read.__name__))
        schemas[f"{_pascal(resource.name)}List"] = _list_schema(resource)
    if "LoginInput" in schemas:
        schemas["LoginForm"] = _login_form(schemas["LoginInput"])
    return {**dict(sorted(schemas.items())), "Problem": _PROBLEM_SCHEMA, "FieldError": _FIELD_ERROR_SCHEMA}


def _resource_schema(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    properties = dict(schema["properties"])
    properties["id"] = {**properties["id"], "description": "Its identifier, the same everywhere."}
    for relation in resource.relations.values():
        target = f"{_SCHEMA}{_pascal(relation.target.name)}"
        about = f"The relation `{relation.name}`, if included."
        if relation.many:
            properties[relation.name] = {"$ref": f"{target}List", "description": about}
        else:
            properties[relation.name] = {"anyOf": [{"$ref": target}, {"type": "null"}], "description": about}
    return {
        **schema, "title": _pascal(resource.name), "description": resource.description,
        "properties": properties, "required": list(fields_of(resource.read)),
    }  # fmt: skip


def _list_schema(resource: Resource[Any]) -> dict[str, Any]:
    about = {
        "has_next": {"type": "boolean", "description": "Whether there are more."},
        "next": {"type": ["string", "null"], "description": "The cursor to pass as `after`."},
        "total": {"type": "integer", "description": "The whole list's size, with `count=true`."},
    }
    return {
        "type": "object",
        "title": f"{_pascal(resource.name)}List",
        "description": f"A page of {resource.plural}.",
        "required": ["data", "page"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"{_SCHEMA}{_pascal(resource.name)}"}},
            "page": {"type": "object", "required": ["has_next", "next"], "properties": about},
        },
    }


def _login_form(login: dict[str, Any]) -> dict[str, Any]:
    grant = {"type": "string", "const": "password", "description": "The grant of RFC 6749, 4.3."}
    own = {"grant_type": grant, "client_id": {"type": "string"}, "client_secret": {"type": "string"}}
    scope = {"type": "string", "description": "The scopes wanted, separated by spaces; all if left out."}
    properties = {**login["properties"], "scope": scope, **own}
    return {**login, "title": "LoginForm", "description": "The OAuth2 password form.", "properties": properties}


def _security_schemes(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    scopes = {scope: _scope_words(scope) for scope in catalogue.scopes}
    flow = {"tokenUrl": f"{prefix}/auth/login", "refreshUrl": f"{prefix}/auth/refresh", "scopes": scopes}
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "Sign in with user name and password.",
            "flows": {"password": flow},
        },
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."},
    }


def _scope_words(scope: str) -> str:
    what, _, action = scope.partition(":")
    return f"{'Read' if action == 'read' else 'Change'} {what}."


def _tags(catalogue: Catalogue) -> list[str]:
    return sorted({route.path.split("/")[1] for route in rest_routes(catalogue)})


def _tag(name: str, catalogue: Catalogue) -> dict[str, str]:
    resource = next((each for each in catalogue.resources.values() if each.plural == name), None)
    return {"name": name, "description": resource.description if resource else "Signing in and out."}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
