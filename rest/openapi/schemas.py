"""Schemas of the OpenAPI document, derived from the catalogue's models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from rest.openapi.examples import row_example
from services.catalogue import Catalogue
from services.catalogue.batches import OPERATIONS, about_entries
from services.catalogue.models import fields_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.queries.limits import DEFAULTS, Limits

SCHEMA: Final = "#/components/schemas/"

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
        "errors": {"type": "array", "items": {"$ref": f"{SCHEMA}FieldError"}, "description": "The fields at fault."},
        "scope": {"type": "string", "description": "The scope that is missing."},
        "operation": {
            "type": "integer",
            "description": "The index, from 0, of the entry for which a batch was rolled back.",
        },
        "retry_after": {"type": "integer", "description": "Seconds to wait."},
        "request_id": {"type": "string", "description": "Identifies the request to the operator."},
    },
}
_PAGE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "PageInfo",
    "description": "The position of a page in its list.",
    "required": ["has_next", "next"],
    "properties": {
        "has_next": {"type": "boolean", "description": "Whether there is a next page."},
        "next": {"type": ["string", "null"], "description": "The cursor to pass as `after`."},
        "total": {"type": "integer", "description": "The whole list's size, with `count=true`."},
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
_SHARED: Final = {"Problem": _PROBLEM_SCHEMA, "FieldError": _FIELD_ERROR_SCHEMA, "PageInfo": _PAGE_SCHEMA}


def schemas(catalogue: Catalogue, limits: Limits = DEFAULTS) -> dict[str, Any]:
    """Return every schema by name: resources and their lists, inputs, results, problems."""
    components = _generated(catalogue)
    _bound_batches(components, catalogue, limits.batch_entries)
    batched = {operation.resource for operation in catalogue.operations.values() if operation.entries}
    related = {
        (relation.target, relation.many)
        for resource in catalogue.resources.values()
        for relation in resource.relations.values()
    }
    for resource in catalogue.resources.values():
        name, row = pascal(resource.name), _with_open_enums(resource, components.pop(resource.read.__name__))
        components |= {name: _resource_schema(resource, row), f"{name}List": _list_schema(resource, name)}
        name = related_name(resource)
        if {(resource, True), (resource, False)} & related:
            components[name] = _related_schema(resource, row)
        if (resource, True) in related:
            components[f"{name}List"] = _list_schema(resource, name)
        if resource in batched:
            components[f"{pascal(resource.plural)}BatchResults"] = _batch_schema(resource)
    if "LoginInput" in components:
        components["LoginForm"] = _login_form(components["LoginInput"])
    return {**dict(sorted(components.items())), **_SHARED}


def _generated(catalogue: Catalogue) -> dict[str, Any]:
    """Return Pydantic's schemas of all models."""
    models: dict[Any, None] = {}
    for operation in catalogue.operations.values():
        if operation.input is not None:
            models[(operation.input, "validation")] = None
        if isinstance(operation.result, type):
            models[(operation.result, "serialization")] = None
    for resource in catalogue.resources.values():
        models[(resource.read, "serialization")] = None
    _, generated = models_json_schema(list(models), ref_template=SCHEMA + "{model}")
    definitions: dict[str, Any] = generated["$defs"]
    for schema in definitions.values():
        for property_schema in schema.get("properties", {}).values():
            _describe_nullable(property_schema)
            _describe_default(property_schema)
    return definitions


def _bound_batches(components: Mapping[str, Any], catalogue: Catalogue, limit: int) -> None:
    """Set the limit of entries in the inputs of batches."""
    for operation in catalogue.operations.values():
        if operation.entries and operation.input is not None:
            entries = components[operation.input.__name__]["properties"][OPERATIONS]
            entries |= {"maxItems": limit, "description": about_entries(limit)}


def _describe_nullable(schema: dict[str, Any]) -> None:
    """Move the description of a nullable field from its type to the field."""
    for variant in schema.get("anyOf", ()):
        if "description" in variant:
            schema.setdefault("description", variant.pop("description"))


def _describe_default(schema: dict[str, Any]) -> None:
    """Describe a default in words, since many generators treat a member with `default` as required.

    Also remove its `title`, which repeats its name.
    """
    schema.pop("title", None)
    default = schema.pop("default", None)
    if default not in (None, []):
        default = default if isinstance(default, str) else json.dumps(default)
        schema["description"] = f"{schema.get('description', '')} `{default}` if left out.".strip()


def _with_open_enums(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Make the enums of a row nullable, for values that this version does not have."""
    properties = dict(schema["properties"])
    for name, kind in resource.fields.items():
        if kind.enum is not None:
            properties[name] = {**_shown_enum(kind, properties[name]), "description": resource.describe(name)}
    return {**schema, "properties": properties}


def _shown_enum(kind: FieldType, schema: dict[str, Any]) -> dict[str, Any]:
    if kind.many:
        return {**schema, "items": _or_null(schema["items"])}
    return schema if kind.nullable else _or_null({name: schema[name] for name in schema if name != "description"})


def _or_null(schema: Any) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def related_name(resource: Resource[Any]) -> str:
    """Return the name of the schema of a row below another."""
    return f"Related{pascal(resource.name)}"


def _resource_schema(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    # The example of the whole row includes those of its fields.
    properties = {
        name: {key: value for key, value in property_schema.items() if key != "examples"}
        for name, property_schema in schema["properties"].items()
    }
    properties["id"] = {**properties["id"], "description": "Its identifier, the same everywhere."}
    for relation in resource.relations.values():
        target = f"{SCHEMA}{related_name(relation.target)}"
        description = f"The relation `{relation.name}`, if included."
        if relation.many:
            properties[relation.name] = {"$ref": f"{target}List", "description": description}
        else:
            properties[relation.name] = {**_or_null({"$ref": target}), "description": description}
    return {
        **schema, "title": pascal(resource.name), "description": resource.description,
        "properties": properties, "required": list(fields_of(resource.read)), "examples": [row_example(resource)],
    }  # fmt: skip


def _related_schema(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a row below another, without relations: documentation viewers fail on endless schemas."""
    description = f"{resource.description} It contains included relations, as `{pascal(resource.name)}` does."
    properties = {
        name: {key: value for key, value in property_schema.items() if key not in ("description", "examples")}
        for name, property_schema in schema["properties"].items()
    }
    return {
        **schema, "title": related_name(resource), "description": description, "properties": properties,
        "required": list(fields_of(resource.read)),
    }  # fmt: skip


def _list_schema(resource: Resource[Any], entry: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": f"{entry}List",
        "description": f"A page of {resource.nouns}.",
        "required": ["data", "page"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"{SCHEMA}{entry}"}},
            "page": {"$ref": f"{SCHEMA}PageInfo"},
        },
    }


def _batch_schema(resource: Resource[Any]) -> dict[str, Any]:
    properties = {
        "status": {"type": "integer", "description": "The HTTP status that the operation alone would have."},
        "id": {"type": "string", "description": "The identifier of its row."},
        "etag": {"type": "string", "description": "Its row's version, as `expected_version` takes it."},
        "data": {"$ref": f"{SCHEMA}{pascal(resource.name)}", "description": "Its row, unless it was deleted."},
        "problem": {"$ref": f"{SCHEMA}Problem", "description": "Why it was refused, if it was."},
    }
    entry = {"type": "object", "required": ["status"], "properties": properties}
    return {
        "type": "object",
        "title": f"{pascal(resource.plural)}BatchResults",
        "description": "The outcome of each entry of a batch, in order.",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": entry}},
    }


def _login_form(login: dict[str, Any]) -> dict[str, Any]:
    grant = {"type": "string", "const": "password", "description": "The grant of RFC 6749, 4.3."}
    oauth2_fields = {"grant_type": grant, "client_id": {"type": "string"}, "client_secret": {"type": "string"}}
    scope = {"type": "string", "description": "The scopes wanted, separated by spaces; all if left out."}
    properties = {**login["properties"], "scope": scope, **oauth2_fields}
    return {**login, "title": "LoginForm", "description": "The OAuth2 password form.", "properties": properties}
