"""The schemas of filters in JSON: per resource, its fields with their operators, and `and`, `or`, `not`."""

from __future__ import annotations

from typing import Any, Final

from services.catalogue import Resource
from services.catalogue.filters import MAX_TEXT
from services.catalogue.limits import Limits
from services.catalogue.naming import pascal
from services.catalogue.scalars import FieldType, Operator

SCHEMA: Final = "#/components/schemas/"


def filter_name(resource: Resource[Any]) -> str:
    """What the filters of a resource are called among the schemas: `ItemFilter`."""
    return f"{pascal(resource.name)}Filter"


def filter_schema(resource: Resource[Any], limits: Limits) -> dict[str, Any]:
    """The filters of a resource; all entries of one must hold."""
    itself = {"$ref": f"{SCHEMA}{filter_name(resource)}"}
    several = {"type": "array", "items": itself, "maxItems": limits.filter_conditions}
    fields = {name: _conditions(resource.fields[name], limits) for name in resource.filters}
    return {
        "type": "object",
        "title": filter_name(resource),
        "description": f"Which {resource.nouns} to list: all entries must hold. It nests {limits.filter_depth} deep.",
        "additionalProperties": False,
        "properties": {**fields, "and": several, "or": several, "not": itself},
    }


def operand_schema(kind: FieldType, operator: Operator, limits: Limits) -> dict[str, Any]:
    """What an operator compares with."""
    if operator is Operator.IS_NULL:
        return {"type": "boolean"}
    if operator in (Operator.IN, Operator.NOT_IN):
        return {"type": "array", "items": _value(kind), "maxItems": limits.filter_values}
    return _value(kind)


def _conditions(kind: FieldType, limits: Limits) -> dict[str, Any]:
    operators = {each.value: operand_schema(kind, each, limits) for each in kind.operators}
    asked = {"type": "object", "additionalProperties": False, "properties": operators, "minProperties": 1}
    return {"anyOf": [_value(kind), asked]}


def _value(kind: FieldType) -> dict[str, Any]:
    if kind.identifier is not None:
        return kind.identifier.schema
    if kind.enum is not None:
        return {"type": "string", "enum": [member.value for member in kind.enum]}
    assert kind.scalar is not None
    return {**kind.scalar.schema, **({"maxLength": MAX_TEXT} if kind.python is str else {})}
