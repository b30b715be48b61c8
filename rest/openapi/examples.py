"""Examples of the OpenAPI document, which Swagger UI fills in."""

from __future__ import annotations

from typing import Any, Final

from services.catalogue import Operation
from services.catalogue.problems import VALIDATION_FAILED, ProblemType
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType

_BY_TYPE: Final[dict[str, Any]] = {"string": "string", "integer": 0, "boolean": True}
_BY_FORMAT: Final = {"date-time": "2030-01-31T12:00:00.000000Z"}


def input_example(operation: Operation) -> dict[str, Any]:
    """Return the declared example, or else an input of the required fields or, if none is, of those with examples."""
    if operation.example is not None:
        return dict(operation.example)
    if operation.input is None:
        return {}
    schema = operation.input.model_json_schema()
    fields, shapes = schema["properties"], schema.get("$defs", {})
    names = [name for name, info in operation.input.model_fields.items() if info.is_required()]
    names = names or [name for name in fields if "examples" in fields[name]]
    return {name: _sample(fields[name], shapes) for name in names}


def row_example(resource: Resource[Any]) -> dict[str, Any]:
    """Return a row of the resource without included relations."""
    schema = resource.read.model_json_schema(mode="serialization")
    fields, shapes = schema["properties"], schema.get("$defs", {})
    return {name: _shown(kind, fields[name], shapes) for name, kind in resource.fields.items()}


def problem_example(kind: ProblemType) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": kind.uri, "title": kind.title, "status": kind.status, "code": kind.code, "detail": kind.title,
    }  # fmt: skip
    if kind is VALIDATION_FAILED:
        example["errors"] = [{"field": "title", "code": "required", "message": "This field is required."}]
    return example


def _shown(kind: FieldType, schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    if "examples" not in schema and (kind.many or kind.nullable):
        return [] if kind.many else None
    return _sample(schema, shapes)


def _sample(schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    """Return a value that a schema allows; of an object without required members, with its first member."""
    for keyword in ("examples", "enum"):
        if keyword in schema:
            return schema[keyword][0]
    if "$ref" in schema or "anyOf" in schema:
        first = shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
        return _sample(first, shapes)
    if schema["type"] == "array":
        return [_sample(schema["items"], shapes)]
    if schema["type"] == "object":
        names = schema.get("required") or list(schema["properties"])[:1]
        return {name: _sample(schema["properties"][name], shapes) for name in names}
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE[schema["type"]])
