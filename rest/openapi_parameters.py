"""The query parameters of lists and representations, as OpenAPI parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rest.openapi_filters import SCHEMA, filter_name, operand_schema
from rest.searching import MEMBERS
from services.catalogue import Identifier, Resource
from services.catalogue.cursors import MAX_CURSOR
from services.catalogue.deprecation import deprecations_of
from services.catalogue.limits import Limits
from services.catalogue.lists import MAX_SEARCH, MAX_SORTS
from services.catalogue.naming import pascal
from services.catalogue.scalars import FieldType, Operator
from services.idempotency.keys import FORM, HEADER

_PATH: Final = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
_BY_COMMAS: Final = {"style": "form", "explode": False}
_CURSOR: Final = {"type": "string", "maxLength": MAX_CURSOR}
_WORDS: Final = {
    Operator.EQ: "is",
    Operator.NE: "is not",
    Operator.IN: "is one of (separated by commas, `%2C` within one)",
    Operator.NOT_IN: "is none of (separated by commas, `%2C` within one)",
    Operator.GT: "is greater than",
    Operator.GTE: "is at least",
    Operator.LT: "is less than",
    Operator.LTE: "is at most",
    Operator.CONTAINS: "contains, without regard to case",
    Operator.STARTS_WITH: "starts with, without regard to case",
    Operator.IS_NULL: "is null",
}


def id_parameter(resource: Resource[Any]) -> dict[str, Any]:
    """The identifier in a path."""
    schema = Identifier(resource.prefix).schema
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The identifier of the {resource.noun}.",
        "schema": schema,
    }


KEPT: Final = "24 hours unless the gateway is set otherwise"


def idempotency_key() -> dict[str, Any]:
    """The header field of every write, which is among the components."""
    words = "Chosen anew for each write, and sent again with it: what was done already is not done again, but answered "
    return {
        "name": HEADER, "in": "header", "required": False,
        "description": f"{words}as it was the first time, for {KEPT} (draft-ietf-httpapi-idempotency-key-header).",
        "schema": {"type": "string", "pattern": FORM},
    }  # fmt: skip


def parameters_of(resource: Resource[Any], limits: Limits, *, is_list: bool) -> dict[str, dict[str, Any]]:
    """The query parameters of a representation or a list of the resource, by their names among the components."""
    found = [*(_list_parameters(resource, limits) if is_list else []), *_selection_parameters(resource, limits)]
    return {f"{resource.name}.{each['name'].replace('[', '.').rstrip(']')}": each for each in found}


def search_schema(resource: Resource[Any], limits: Limits) -> dict[str, Any]:
    """The body of a search: what the query parameters of the resource's lists say, as one object."""
    given = {each["name"]: each for each in parameters_of(resource, limits, is_list=True).values()}
    return {
        "type": "object",
        "title": f"{pascal(resource.name)}Search",
        "description": f"Which {resource.nouns} to list, and how. What is null, or an empty list, counts as left out.",
        "additionalProperties": False,
        "properties": {name: _member(given[name]) for name in MEMBERS if name in given},
    }


def _member(parameter: dict[str, Any]) -> dict[str, Any]:
    """A query parameter as a member of an object."""
    schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
    words = parameter["description"].replace(" as JSON,", "")
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}], "description": words}
    return {**schema, "type": [schema["type"], "null"], "description": words}


def _list_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    sorts = [name for field in (*resource.sorts, "id") for name in (field, f"-{field}")]
    found = [
        _query("limit", "How many at most.", _integer(1, limits.page_size, limits.usual_page)),
        _query("after", "A cursor: the page behind it.", _CURSOR),
        _query("before", "A cursor: the page before it; beside `after`, where the pages end.", _CURSOR),
        _query("skip", "How many to pass over; for paging by hand.", _integer(0, limits.skip, 0)),
        _query("count", "Whether to count the whole list.", {"type": "boolean", "default": False}),
        _listed("sort", f"Fields to sort by, `-` for descending: {_quoted(resource.sorts)}.", sorts),
        {
            "name": "filter", "in": "query", "description": "A filter as JSON, with `and`, `or` and `not`.",
            "content": {"application/json": {"schema": {"$ref": f"{SCHEMA}{filter_name(resource)}"}}},
        },
    ]  # fmt: skip
    if resource.search:
        words = f"Words to search for in {' and '.join(resource.search)}."
        found.append(_query("q", words, {"type": "string", "maxLength": MAX_SEARCH}))
    deprecated = deprecations_of(resource.read)
    for name in resource.filters:
        kind, mark = resource.fields[name], {"deprecated": True} if name in deprecated else {}
        found += [{**_filter(name, kind, operator, limits), **mark} for operator in kind.operators]
    return found


def _selection_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    relations = _quoted(resource.relations) or "none"
    deep = f"Dots lead to relations of relations, {limits.include_depth} deep."
    text = {"type": "array", "items": {"type": "string", "pattern": _PATH}}
    several = {**text, "maxItems": limits.includes}
    return [
        {**_query("include", f"Relations to include: {relations}. {deep}", several), **_BY_COMMAS},
        {
            **_query("fields", "Fields to show, `relation.field` for an included relation's; all if left out.", text),
            **_BY_COMMAS,
        },
    ]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _filter(name: str, kind: FieldType, operator: Operator, limits: Limits) -> dict[str, Any]:
    parameter = name if operator is Operator.EQ else f"{name}[{operator.value}]"
    schema = operand_schema(kind, operator, limits)
    found = _query(parameter, f"`{name}` {_WORDS[operator]}.", schema)
    # A parameter without a value is a list of one empty text.
    return {**found, "schema": {**schema, "minItems": 1}, **_BY_COMMAS} if schema["type"] == "array" else found


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _listed(name: str, description: str, values: list[str]) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string", "enum": values}, "minItems": 1, "maxItems": MAX_SORTS}
    return {**_query(name, description, schema), **_BY_COMMAS}


def _integer(least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}
