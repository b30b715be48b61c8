"""Schemas of the OpenAPI document, derived from the catalogue's models."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from rest.openapi.components import SCHEMA, TEXT, described, record, schema
from rest.openapi.examples import row_example
from services.catalogue import Catalogue
from services.catalogue.batches import OPERATIONS, about_entries
from services.catalogue.models import fields_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.queries.limits import DEFAULTS, Limits

_SHARED: Final[dict[str, Any]] = {
    "Problem": record(
        "Problem", "A failure (RFC 9457). Each code is documented at its `type`.",
        {
            "type": {**TEXT, "format": "uri-reference", "description": "Where this kind of problem is documented."},
            "title": described("string", "The kind of problem, in words."),
            "status": described("integer", "The HTTP status."),
            "code": described("string", "The kind of problem, for programs."),
            "detail": described("string", "What happened this time."),
            "errors": {"type": "array", "items": schema("FieldError"), "description": "The fields at fault."},
            "scope": described("string", "The scope that is missing."),
            "operation": described("integer", "The index, from 0, of the entry for which a batch was rolled back."),
            "retry_after": described("integer", "Seconds to wait."),
            "request_id": described("string", "Identifies the request to the operator."),
        },
        ["type", "title", "status", "code", "detail"],
    ),
    "FieldError": record(
        "FieldError", "What is wrong with one field or parameter.",
        {
            "field": described("string", "The path to it, such as `filter.status.in[0]`."),
            "code": described("string", "What is wrong, for programs."),
            "message": described("string", "What is wrong, in words."),
        },
        ["field", "code", "message"],
    ),
    "PageInfo": record(
        "PageInfo", "The position of a page in its list.",
        {
            "has_next": described("boolean", "Whether there is a next page."),
            "next": {"type": ["string", "null"], "description": "The cursor to pass as `after`."},
            "total": described("integer", "The whole list's size, with `count=true`."),
        },
        ["has_next", "next"],
    ),
}  # fmt: skip


def schemas(catalogue: Catalogue, limits: Limits = DEFAULTS) -> dict[str, Any]:
    """Return every schema by name: resources and their lists, inputs, results, problems."""
    components = _generated(catalogue)
    batched = set()
    for operation in catalogue.operations.values():
        if operation.entries and operation.input is not None:
            batched.add(operation.resource)
            entries = components[operation.input.__name__]["properties"][OPERATIONS]
            entries |= {"maxItems": limits.MAX_BATCH_ENTRIES, "description": about_entries(limits.MAX_BATCH_ENTRIES)}
    relations = [relation for resource in catalogue.resources.values() for relation in resource.relations.values()]
    related = {relation.target for relation in relations}
    listed = {relation.target for relation in relations if relation.many}
    for resource in catalogue.resources.values():
        name, row = pascal(resource.name), _with_open_enums(resource, components.pop(resource.read.__name__))
        components |= {name: _resource_schema(resource, row), f"{name}List": _list_schema(resource, name)}
        name = f"Related{name}"
        if resource in related:
            components[name] = _related_schema(resource, row)
        if resource in listed:
            components[f"{name}List"] = _list_schema(resource, name)
        if resource in batched:
            components[f"{pascal(resource.plural)}BatchResults"] = _batch_schema(resource)
    if "LoginInput" in components:
        components["LoginForm"] = _login_form(components["LoginInput"])
    return {**dict(sorted(components.items())), **_SHARED}


def _generated(catalogue: Catalogue) -> dict[str, Any]:
    operations = catalogue.operations.values()
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((operation.input, "validation") for operation in operations if operation.input is not None),
        *((operation.result, "serialization") for operation in operations if isinstance(operation.result, type)),
        *((resource.read, "serialization") for resource in catalogue.resources.values()),
    ]
    _, generated = models_json_schema(list(dict.fromkeys(models)), ref_template=SCHEMA + "{model}")
    definitions: dict[str, Any] = generated["$defs"]
    for definition in definitions.values():
        for field in definition.get("properties", {}).values():
            _describe(field)
    return definitions


def _describe(field: dict[str, Any]) -> None:
    """Move the description of a nullable field from its type to the field, and remove its title: it repeats its name.

    A default is described in words, since many generators treat a member with `default` as required.
    """
    for variant in field.get("anyOf", ()):
        if "description" in variant:
            field.setdefault("description", variant.pop("description"))
    field.pop("title", None)
    default = field.pop("default", None)
    if default not in (None, []):
        default = default if isinstance(default, str) else json.dumps(default)
        field["description"] = f"{field.get('description', '')} `{default}` if left out.".strip()


def _with_open_enums(resource: Resource[Any], row: dict[str, Any]) -> dict[str, Any]:
    """Make the enums of a row nullable, for values that this version does not have."""
    properties = dict(row["properties"])
    for name, kind in resource.fields.items():
        if kind.enum is not None:
            field = properties[name]
            if kind.many:
                field = {**field, "items": _or_null(field["items"])}
            elif not kind.nullable:
                field = _or_null(_without(field, "description"))
            properties[name] = {**field, "description": resource.describe(name)}
    return {**row, "properties": properties}


def _or_null(shape: Any) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]}


def _without(shape: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if name not in members}


def _resource_schema(resource: Resource[Any], row: dict[str, Any]) -> dict[str, Any]:
    # The example of the whole row includes those of its fields.
    properties = {name: _without(field, "examples") for name, field in row["properties"].items()}
    properties["id"] = {**properties["id"], "description": "Its identifier, the same everywhere."}
    for relation in resource.relations.values():
        target = f"Related{pascal(relation.target.name)}"
        description = f"The relation `{relation.name}`, if included."
        if relation.many:
            properties[relation.name] = {**schema(f"{target}List"), "description": description}
        else:
            properties[relation.name] = {**_or_null(schema(target)), "description": description}
    return {
        **row, "title": pascal(resource.name), "description": resource.description,
        "properties": properties, "required": list(fields_of(resource.read)), "examples": [row_example(resource)],
    }  # fmt: skip


def _related_schema(resource: Resource[Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a row below another, without relations: documentation viewers fail on endless schemas."""
    description = f"{resource.description} It contains included relations, as `{pascal(resource.name)}` does."
    properties = {name: _without(field, "description", "examples") for name, field in row["properties"].items()}
    return {
        **row, "title": f"Related{pascal(resource.name)}", "description": description, "properties": properties,
        "required": list(fields_of(resource.read)),
    }  # fmt: skip


def _list_schema(resource: Resource[Any], entry: str) -> dict[str, Any]:
    properties = {"data": {"type": "array", "items": schema(entry)}, "page": schema("PageInfo")}
    return record(f"{entry}List", f"A page of {resource.nouns}.", properties, ["data", "page"])


def _batch_schema(resource: Resource[Any]) -> dict[str, Any]:
    properties = {
        "status": described("integer", "The HTTP status that the operation alone would have."),
        "id": described("string", "The identifier of its row."),
        "etag": described("string", "Its row's version, as `expected_version` takes it."),
        "data": {**schema(pascal(resource.name)), "description": "Its row, unless it was deleted."},
        "problem": {**schema("Problem"), "description": "Why it was refused, if it was."},
    }
    entry = {"type": "object", "required": ["status"], "properties": properties}
    name, description = f"{pascal(resource.plural)}BatchResults", "The outcome of each entry of a batch, in order."
    return record(name, description, {"results": {"type": "array", "items": entry}}, ["results"])


def _login_form(login: dict[str, Any]) -> dict[str, Any]:
    grant = {"type": "string", "const": "password", "description": "The grant of RFC 6749, 4.3."}
    scope = described("string", "The scopes wanted, separated by spaces; all if left out.")
    oauth2_fields = {"scope": scope, "grant_type": grant, "client_id": TEXT, "client_secret": TEXT}
    properties = {**login["properties"], **oauth2_fields}
    return {**login, "title": "LoginForm", "description": "The OAuth2 password form.", "properties": properties}
