"""Published GraphQL documents in the OpenAPI document. They can be published and withdrawn at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from rest.documents import MAX_VALUES, PATH
from rest.openapi.components import JSON, TEXT, security_of
from rest.openapi.responses import failures, problem_components
from services.catalogue import problems as codes
from services.documents.publishing import Parameter, ParameterKind, PublishedDocument

_PROBLEMS: Final = (
    codes.BAD_REQUEST, codes.UNAUTHENTICATED, codes.INVALID_TOKEN, codes.INSUFFICIENT_SCOPE, codes.FORBIDDEN,
    codes.NOT_FOUND, codes.VALIDATION_FAILED, codes.TOO_COMPLEX,
)  # fmt: skip
_TAG: Final = {"name": "documents", "description": "GraphQL documents that the operator has published."}


def with_documents(
    document: Mapping[str, Any], published: Iterable[PublishedDocument], prefix: str
) -> Mapping[str, Any]:
    """Return an OpenAPI document with the published documents added; unchanged if there are none."""
    paths = {f"{prefix}{PATH}/{publication.name}": {"get": _operation(publication)} for publication in published}
    if not paths:
        return document
    components = dict(document.get("components", {}))
    for kind, added in problem_components(paths).items():
        components[kind] = {**components.get(kind, {}), **added}
    return {
        **document,
        "tags": sorted([*document["tags"], _TAG], key=lambda tag: str(tag["name"])),
        "paths": dict(sorted({**document["paths"], **paths}.items())),
        "components": components,
    }


def _operation(document: PublishedDocument) -> dict[str, Any]:
    answer = {
        "description": "The complete result of the document.",
        "content": {JSON: {"schema": document.answer}},
    }
    return {
        "operationId": f"document_{document.name}",
        "tags": [_TAG["name"]],
        "summary": document.description.split(".")[0],
        "description": document.description,
        "parameters": [_parameter(parameter) for parameter in document.parameters],
        "responses": {"200": answer, **failures(_PROBLEMS)},
        "security": [] if document.scopes is None else security_of(document.scopes),
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """Return a variable as a query parameter. JSON is sent in strings, which every client can send."""
    is_json = parameter.kind is ParameterKind.JSON
    description = f"The variable `${parameter.name}`, of type `{parameter.type}`."
    schema, default = parameter.schema, parameter.default
    if parameter.many:
        if is_json:
            description += " Each value is JSON."
            schema, default = TEXT, default and [orjson.dumps(value).decode() for value in default]
        schema = {"type": "array", "items": schema, "maxItems": MAX_VALUES}
    elif is_json:
        schema = {**TEXT, "contentMediaType": JSON, "contentSchema": schema}
        default = None if default is None else orjson.dumps(default).decode()
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": description,
        "schema": schema if default is None else {**schema, "default": default},
        **({"style": "form", "explode": True} if parameter.many else {}),
    }
