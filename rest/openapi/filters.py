"""JSON schemas of filters: for each resource, and for each type of field with its operators (`InstantFilter`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rest.openapi.components import record, schema
from services.catalogue.deprecation import deprecations_of
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType, Operator
from services.queries.filters import MAX_TEXT
from services.queries.limits import Limits

_NAMES: Final = {"DateTime": "Instant", "Int": "Integer"}


def filter_schemas(resources: Iterable[Resource[Any]], limits: Limits) -> dict[str, Any]:
    """Return the schemas of resources' filters and orders, and of the filters of their fields' types, by name."""
    resources, schemas = list(resources), dict[str, Any]()
    prefixes = {resource.prefix: pascal(resource.name) for resource in resources}
    for resource in resources:
        kinds = {name: resource.fields[name] for name in resource.filters}
        names = {name: _type_name(kind, prefixes) for name, kind in kinds.items()}
        schemas |= {names[name]: _conditions(kind, limits) | {"title": names[name]} for name, kind in kinds.items()}
        name = pascal(resource.name)
        schemas |= {f"{name}Filter": _filter(resource, names, limits), f"{name}Sort": _sort(resource)}
    return schemas


def _sort(resource: Resource[Any]) -> dict[str, Any]:
    """Return the schema of the terms that a list of the resource can be sorted by."""
    fields = (*resource.sorts, "id")
    orders = [name for field in fields for name in (field, f"-{field}")]
    # Names for generators, which would number the values otherwise.
    names = [name for field in fields for name in (field.upper(), f"{field.upper()}_DESC")]
    return {
        "type": "string",
        "title": f"{pascal(resource.name)}Sort",
        "description": f"What {resource.nouns} can be sorted by, `-` for descending.",
        "enum": orders,
        "x-enum-varnames": names,
    }


def operand_schema(kind: FieldType, operator: Operator, limits: Limits) -> dict[str, Any]:
    if operator is Operator.IS_NULL:
        return {"type": "boolean"}
    if operator in (Operator.IN, Operator.NOT_IN):
        return {"type": "array", "items": value_schema(kind), "maxItems": limits.MAX_FILTER_VALUES}
    return value_schema(kind)


def _filter(resource: Resource[Any], names: dict[str, str], limits: Limits) -> dict[str, Any]:
    name = f"{pascal(resource.name)}Filter"
    deprecated = {field: {"deprecated": True} for field in deprecations_of(resource.read)}
    several = {"type": "array", "items": schema(name), "maxItems": limits.MAX_FILTER_CONDITIONS}
    conditions = {field: {**schema(kind), **deprecated.get(field, {})} for field, kind in names.items()}
    description = f"Which {resource.nouns} to list: all entries must hold. It nests {limits.MAX_FILTER_DEPTH} deep."
    members = {**conditions, "and": several, "or": several, "not": schema(name)}
    return record(name, description, members, closed=True)


def _type_name(kind: FieldType, prefixes: dict[str, str]) -> str:
    """Return the name of a type's filter schema, which depends on the type and whether it is nullable."""
    if kind.identifier is not None:
        prefix = kind.identifier.prefix
        name = f"{prefixes.get(prefix, pascal(prefix))}Id"
    else:
        assert kind.scalar is not None
        name = kind.enum.__name__ if kind.enum is not None else _NAMES.get(kind.scalar.graphql, kind.scalar.graphql)
    return f"{'Nullable' if kind.nullable else ''}{name}Filter"


def _conditions(kind: FieldType, limits: Limits) -> dict[str, Any]:
    operators = {operator.value: operand_schema(kind, operator, limits) for operator in kind.operators}
    comparison = {"type": "object", "additionalProperties": False, "properties": operators, "minProperties": 1}
    return {"anyOf": [value_schema(kind), comparison]}


def value_schema(kind: FieldType) -> dict[str, Any]:
    if kind.identifier is not None:
        return {name: value for name, value in kind.identifier.schema.items() if name != "examples"}
    if kind.enum is not None:
        return schema(kind.enum.__name__)
    assert kind.scalar is not None
    return {**kind.scalar.schema, **({"maxLength": MAX_TEXT} if kind.python is str else {})}
