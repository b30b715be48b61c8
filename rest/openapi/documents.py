"""Published GraphQL documents in the OpenAPI document. They can be published and withdrawn at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from rest.documents import MAX_VALUES, PATH
from rest.openapi.responses import failures, problem_components
from rest.openapi.security import security_of
from services.catalogue.problems import (
    BAD_REQUEST,
    FORBIDDEN,
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    NOT_FOUND,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    VALIDATION_FAILED,
)
from services.documents.publishing import Parameter, ParameterKind, PublishedDocument

TAG: Final = "documents"
_PROBLEMS: Final = (
    BAD_REQUEST, UNAUTHENTICATED, INVALID_TOKEN, INSUFFICIENT_SCOPE, FORBIDDEN, NOT_FOUND, VALIDATION_FAILED,
    TOO_COMPLEX,
)  # fmt: skip
_ABOUT: Final = {"name": TAG, "description": "GraphQL documents that the operator has published."}


def with_documents(
    document: Mapping[str, Any], published: Iterable[PublishedDocument], prefix: str
) -> Mapping[str, Any]:
    """Return an OpenAPI document with the published documents added; unchanged if there are none."""
    paths = {
        f"{prefix}{PATH}/{publication.name}": {"get": _operation(publication)}
        for publication in sorted(published, key=lambda publication: publication.name)
    }
    if not paths:
        return document
    tags = sorted([*document["tags"], _ABOUT], key=lambda tag: str(tag["name"]))
    components = dict(document.get("components", {}))
    for kind, added in problem_components(paths).items():
        components[kind] = {**components.get(kind, {}), **added}
    return {
        **document,
        "tags": tags,
        "paths": dict(sorted({**document["paths"], **paths}.items())),
        "components": components,
    }


def _operation(document: PublishedDocument) -> dict[str, Any]:
    scopes = document.scopes
    return {
        "operationId": f"document_{document.name}",
        "tags": [TAG],
        "summary": document.description.split(".")[0],
        "description": document.description,
        "parameters": [_parameter(parameter) for parameter in document.parameters],
        "responses": {
            "200": {
                "description": "The complete result of the document.",
                "content": {"application/json": {"schema": document.answer}},
            },
            **failures(_PROBLEMS),
        },
        "security": [] if scopes is None else security_of(scopes),
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": f"The variable `${parameter.name}`, of type `{parameter.type}`.",
    }
    if parameter.many:
        if parameter.kind is ParameterKind.JSON:
            described["description"] += " Each value is JSON."
        return {**described, "schema": _list_schema(parameter), "style": "form", "explode": True}
    if parameter.kind is ParameterKind.JSON:
        return {**described, "schema": _json_text(parameter)}
    return {**described, "schema": _with_default(parameter.schema, parameter.default)}


def _json_text(parameter: Parameter) -> Mapping[str, Any]:
    """Return the schema of JSON in a string, which every client can send."""
    schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": parameter.schema}
    default = parameter.default
    return _with_default(schema, None if default is None else orjson.dumps(default).decode())


def _list_schema(parameter: Parameter) -> Mapping[str, Any]:
    items, default = parameter.schema, parameter.default
    if parameter.kind is ParameterKind.JSON:
        items = {"type": "string"}
        default = None if default is None else [orjson.dumps(value).decode() for value in default]
    return _with_default({"type": "array", "items": items, "maxItems": MAX_VALUES}, default)


def _with_default(schema: Mapping[str, Any], default: Any) -> Mapping[str, Any]:
    return schema if default is None else {**schema, "default": default}
