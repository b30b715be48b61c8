"""OpenAPI parameters of lists and representations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from rest.openapi.components import JSON, TEXT, parameter, record, schema
from rest.openapi.filters import operand_schema, value_schema
from rest.searching import Search
from services.catalogue.deprecation import deprecations_of
from services.catalogue.identifiers import EXAMPLE_KEY
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType, Operator
from services.engine.idempotency.keys import FORM, HEADER
from services.queries.cursors import MAX_CURSOR
from services.queries.limits import Limits
from services.queries.lists import MAX_SEARCH, MAX_SORTS

_PATH: Final = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
_CURSOR: Final = {**TEXT, "maxLength": MAX_CURSOR}
_query: Final = partial(parameter, "query")
IDEMPOTENCY_KEY: Final = {
    "name": HEADER, "in": "header", "required": False,
    "description": "A new key for each write, sent again when the request is repeated. A completed write is not "
    "repeated but answered as the first time, for 24 hours unless the gateway is set otherwise "
    "(draft-ietf-httpapi-idempotency-key-header).",
    "schema": {**TEXT, "pattern": FORM},
}  # fmt: skip


def id_parameter(resource: Resource[Any], example: UUID = EXAMPLE_KEY) -> dict[str, Any]:
    """Return the identifier in a path, the component `….key`; its example's key is that of a row of the demo data."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The identifier of the {resource.noun}.",
        "schema": value_schema(resource.fields["id"]),
        "example": resource.encode(example),
    }


def parameters_of(resource: Resource[Any], limits: Limits, *, is_list: bool) -> dict[str, dict[str, Any]]:
    """Return the query parameters by component name, of filters only the most common ones (docs/decisions/0027)."""
    found = [*(_list_parameters(resource, limits) if is_list else []), *_selection_parameters(resource, limits)]
    named = {f"{resource.name}.{each['name'].replace('[', '.').rstrip(']')}": each for each in found}
    return {**(_page_parameters(limits) if is_list else {}), **named}


def search_schema(resource: Resource[Any], limits: Limits) -> dict[str, Any]:
    """Return the schema of a search's body: the query parameters of the resource's lists as one object."""
    by_name = {each["name"]: each for each in parameters_of(resource, limits, is_list=True).values()}
    description = (
        f"Which {resource.nouns} to list, and how: its members have the meaning of the query parameters. Null and "
        "empty lists have the same effect as omission."
    )
    members = {name: _member(by_name[name]["schema"]) for name in Search.model_fields if name in by_name}
    examples = [{"limit": limits.usual_page, "sort": ["-id"]}]
    return record(f"{pascal(resource.name)}Search", description, members, closed=True) | {"examples": examples}


def _member(given: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a query parameter as that of a member of an object."""
    if "contentSchema" in given:
        return {"anyOf": [given["contentSchema"], {"type": "null"}]}
    return {name: value for name, value in given.items() if name != "default"} | {"type": [given["type"], "null"]}


def _page_parameters(limits: Limits) -> dict[str, dict[str, Any]]:
    parameters = [
        _query("limit", "How many at most.", _integer(1, limits.MAX_PAGE_SIZE, limits.usual_page)),
        _query("after", "A cursor: the page after it.", _CURSOR),
        _query("before", "A cursor: the page before it; beside `after`, where the pages end.", _CURSOR),
        _query("skip", "How many to pass over; for paging by hand.", _integer(0, limits.MAX_SKIP, 0)),
        _query("count", "Whether to count the whole list.", {"type": "boolean", "default": False}),
    ]
    return {each["name"]: each for each in parameters}


def _list_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    description = f"Fields to sort by, `-` for descending: {_quoted(resource.sorts)}."
    terms = {"type": "array", "items": schema(f"{pascal(resource.name)}Sort"), "minItems": 1, "maxItems": MAX_SORTS}
    parameters = [_query("sort", description, terms), _filter(resource)]
    if resource.search:
        description = f"Words to search for in {' and '.join(resource.search)}."
        parameters.append(_query("q", description, {**TEXT, "maxLength": MAX_SEARCH}))
    deprecated = deprecations_of(resource.read)
    for name in resource.filters:
        mark = {"deprecated": True} if name in deprecated else {}
        parameters += [{**condition, **mark} for condition in _conditions(name, resource.fields[name], limits)]
    return parameters


def _filter(resource: Resource[Any]) -> dict[str, Any]:
    """Return the parameter `filter`: JSON in a string, which all clients can send. Few generators support `content`."""
    name = f"{pascal(resource.name)}Filter"
    description = (
        f"A filter in JSON, as `{name}` has it: any condition, and `and`, `or`, `not`. It holds beside the others."
    )
    example = '{"created_at": {"gte": "2026-01-31T12:00:00Z"}}' if "created_at" in resource.filters else "{}"
    media_type = {"contentMediaType": JSON, "contentSchema": schema(name)}
    return _query("filter", description, {**TEXT, **media_type, "examples": [example]})


def _selection_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    relations = _quoted(resource.relations) or "none"
    deep = f"Dots lead to relations of relations, {limits.MAX_INCLUDE_DEPTH} deep."
    paths = {"type": "array", "items": {**TEXT, "pattern": _PATH}}
    fields_description = "Fields to show, `relation.field` for an included relation's; all if left out."
    return [
        _query("include", f"Relations to include: {relations}. {deep}", {**paths, "maxItems": limits.MAX_INCLUDES}),
        _query("fields", fields_description, paths),
    ]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _conditions(name: str, kind: FieldType, limits: Limits) -> Iterator[dict[str, Any]]:
    """Yield the conditions on a field that have a parameter of their own."""
    if kind.python is datetime:
        return
    yield _query(name, f"`{name}` is this.", operand_schema(kind, Operator.EQ, limits))
    if kind.enum is not None:
        # A parameter without a value is a list of one empty string.
        values = {**operand_schema(kind, Operator.IN, limits), "minItems": 1}
        yield _query(f"{name}[in]", f"`{name}` is one of these.", values)


def _integer(minimum: int, maximum: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}
