"""The schemas of the OpenAPI document, derived from the catalogue's models."""

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
        "operation": {"type": "integer", "description": "The place of the entry that has undone a batch, from 0."},
        "retry_after": {"type": "integer", "description": "Seconds to wait."},
        "request_id": {"type": "string", "description": "Names the request to the operator."},
    },
}
_PAGE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "PageInfo",
    "description": "How a list goes on.",
    "required": ["has_next", "next"],
    "properties": {
        "has_next": {"type": "boolean", "description": "Whether there are more."},
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
    """Every schema by its name: resources and their lists, inputs, results, problems."""
    found = _generated(catalogue)
    _bound_batches(found, catalogue, limits.batch_entries)
    batched = {each.resource for each in catalogue.operations.values() if each.entries}
    related = {(each.target, each.many) for of in catalogue.resources.values() for each in of.relations.values()}
    for resource in catalogue.resources.values():
        name, row = pascal(resource.name), _with_open_enums(resource, found.pop(resource.read.__name__))
        found |= {name: _resource_schema(resource, row), f"{name}List": _list_schema(resource, name)}
        name = related_name(resource)
        if {(resource, True), (resource, False)} & related:
            found[name] = _related_schema(resource, row)
        if (resource, True) in related:
            found[f"{name}List"] = _list_schema(resource, name)
        if resource in batched:
            found[f"{pascal(resource.plural)}BatchResults"] = _batch_schema(resource)
    if "LoginInput" in found:
        found["LoginForm"] = _login_form(found["LoginInput"])
    return {**dict(sorted(found.items())), **_SHARED}


def _generated(catalogue: Catalogue) -> dict[str, Any]:
    """What Pydantic says of all models."""
    models: dict[Any, None] = {}
    for operation in catalogue.operations.values():
        if operation.input is not None:
            models[(operation.input, "validation")] = None
        if isinstance(operation.result, type):
            models[(operation.result, "serialization")] = None
    for resource in catalogue.resources.values():
        models[(resource.read, "serialization")] = None
    _, generated = models_json_schema(list(models), ref_template=SCHEMA + "{model}")
    found: dict[str, Any] = generated["$defs"]
    for schema in found.values():
        for each in schema.get("properties", {}).values():
            _describe_nullable(each)
            _describe_default(each)
    return found


def _bound_batches(found: Mapping[str, Any], catalogue: Catalogue, most: int) -> None:
    """The inputs of batches say how many entries they may have here."""
    for operation in catalogue.operations.values():
        if operation.entries and operation.input is not None:
            entries = found[operation.input.__name__]["properties"][OPERATIONS]
            entries |= {"maxItems": most, "description": about_entries(most)}


def _describe_nullable(schema: dict[str, Any]) -> None:
    """A field that may be null is described by the field, not by one half of its type."""
    for each in schema.get("anyOf", ()):
        if "description" in each:
            schema.setdefault("description", each.pop("description"))


def _describe_default(schema: dict[str, Any]) -> None:
    """What a member is if it is left out is told in words: to many generators a member with `default` is required.

    Its `title` says its name once more.
    """
    schema.pop("title", None)
    default = schema.pop("default", None)
    if default not in (None, []):
        text = default if isinstance(default, str) else json.dumps(default)
        schema["description"] = f"{schema.get('description', '')} `{text}` if left out.".strip()


def _with_open_enums(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A row whose enums may be null, where this version does not know their values."""
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
    """What a row is called where it is shown below another."""
    return f"Related{pascal(resource.name)}"


def _resource_schema(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    # What they look like is told by the example of the whole.
    properties = {
        name: {key: value for key, value in each.items() if key != "examples"}
        for name, each in schema["properties"].items()
    }
    properties["id"] = {**properties["id"], "description": "Its identifier, the same everywhere."}
    for relation in resource.relations.values():
        target = f"{SCHEMA}{related_name(relation.target)}"
        about = f"The relation `{relation.name}`, if included."
        if relation.many:
            properties[relation.name] = {"$ref": f"{target}List", "description": about}
        else:
            properties[relation.name] = {**_or_null({"$ref": target}), "description": about}
    return {
        **schema, "title": pascal(resource.name), "description": resource.description,
        "properties": properties, "required": list(fields_of(resource.read)), "examples": [row_example(resource)],
    }  # fmt: skip


def _related_schema(resource: Resource[Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A row below another, without the relations: schemas that lead on without end are more than explorers bear."""
    words = f"{resource.description} As of `{pascal(resource.name)}`, what is included below it is there, too."
    properties = {
        name: {key: value for key, value in each.items() if key not in ("description", "examples")}
        for name, each in schema["properties"].items()
    }
    return {
        **schema, "title": related_name(resource), "description": words, "properties": properties,
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
    about = {
        "status": {"type": "integer", "description": "The HTTP status that it would have had alone."},
        "id": {"type": "string", "description": "The identifier of its row."},
        "etag": {"type": "string", "description": "Its row's version, as `expected_version` takes it."},
        "data": {"$ref": f"{SCHEMA}{pascal(resource.name)}", "description": "Its row, unless it is gone."},
        "problem": {"$ref": f"{SCHEMA}Problem", "description": "Why it was refused, if it was."},
    }
    entry = {"type": "object", "required": ["status"], "properties": about}
    return {
        "type": "object",
        "title": f"{pascal(resource.plural)}BatchResults",
        "description": "What has become of each entry of a batch, in their order.",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": entry}},
    }


def _login_form(login: dict[str, Any]) -> dict[str, Any]:
    grant = {"type": "string", "const": "password", "description": "The grant of RFC 6749, 4.3."}
    own = {"grant_type": grant, "client_id": {"type": "string"}, "client_secret": {"type": "string"}}
    scope = {"type": "string", "description": "The scopes wanted, separated by spaces; all if left out."}
    properties = {**login["properties"], "scope": scope, **own}
    return {**login, "title": "LoginForm", "description": "The OAuth2 password form.", "properties": properties}
