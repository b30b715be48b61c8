"""The examples of the OpenAPI document: what Swagger UI fills in, so that a request can be sent as it is."""

from __future__ import annotations

from typing import Any, Final

from services.catalogue import InputModel, Operation
from services.catalogue.problems import VALIDATION_FAILED, ProblemType
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType

_BY_TYPE: Final[dict[str, Any]] = {"string": "string", "integer": 0, "boolean": True}
_BY_FORMAT: Final = {"date-time": "2030-01-31T12:00:00.000000Z"}


def input_example(operation: Operation) -> dict[str, Any]:
    """The input that the operation declares as its example, or the least that works; empty where it takes none."""
    if operation.example is not None:
        return dict(operation.example)
    return _least(operation.input) if operation.input is not None else {}


def _least(model: type[InputModel]) -> dict[str, Any]:
    """Examples of the required fields, or where none is required of those that have any."""
    schema = model.model_json_schema()
    fields, shapes = schema["properties"], schema.get("$defs", {})
    wanted = [name for name, info in model.model_fields.items() if info.is_required()]
    wanted = wanted or [name for name in fields if "examples" in fields[name]]
    return {name: _sample(fields[name], shapes) for name in wanted}


def row_example(resource: Resource[Any]) -> dict[str, Any]:
    """A row of the resource as it is shown without what could be included."""
    shown = resource.read.model_json_schema(mode="serialization")["properties"]
    return {
        name: shown[name]["examples"][0] if "examples" in shown[name] else _value(kind)
        for name, kind in resource.fields.items()
    }


def problem_example(kind: ProblemType) -> dict[str, Any]:
    """A problem of the kind."""
    found: dict[str, Any] = {
        "type": kind.uri, "title": kind.title, "status": kind.status, "code": kind.code, "detail": kind.title,
    }  # fmt: skip
    if kind is VALIDATION_FAILED:
        found["errors"] = [{"field": "title", "code": "required", "message": "This field is required."}]
    return found


def _value(kind: FieldType) -> Any:
    if kind.many:
        return []
    if kind.nullable:
        return None
    if kind.identifier is not None:
        return kind.identifier.schema["examples"][0]
    if kind.enum is not None:
        return next(iter(kind.enum)).value
    schema = kind.scalar.schema if kind.scalar is not None else {}
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", "")))


def _sample(schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    """A value that a schema allows; of an object whose members are all optional, its first."""
    if "$ref" in schema or "anyOf" in schema:
        first = shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
        return _sample(first, shapes)
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    if schema["type"] == "array":
        return [_sample(schema["items"], shapes)]
    if schema["type"] == "object":
        names = schema.get("required") or list(schema["properties"])[:1]
        return {name: _sample(schema["properties"][name], shapes) for name in names}
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE[schema["type"]])
