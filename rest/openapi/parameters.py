"""The query parameters of lists and representations, as OpenAPI parameters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from rest.openapi.filters import SCHEMA, filter_name, operand_schema, sort_name
from rest.searching import Search
from services.catalogue import Identifier
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
_CURSOR: Final = {"type": "string", "maxLength": MAX_CURSOR}
_WORDS: Final = {
    Operator.EQ: "is this",
    Operator.IN: "is one of these",
}


def id_name(resource: Resource[Any]) -> str:
    """What `id_parameter` is called among the components."""
    return f"{resource.name}.key"


def id_parameter(resource: Resource[Any], example: UUID = EXAMPLE_KEY) -> dict[str, Any]:
    """The identifier in a path; the key in its example is of a row of the demo data."""
    schema = {name: value for name, value in Identifier(resource.prefix).schema.items() if name != "examples"}
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The identifier of the {resource.noun}.",
        "schema": schema,
        "example": resource.encode(example),
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
    """The query parameters of a representation or a list of the resource, by their names among the components.

    Of the filters there are those that are asked for most: what a field is. `filter` takes all of them, and the server
    takes each by its own parameter, too (docs/decisions/0027).
    """
    own = [*(_list_parameters(resource, limits) if is_list else []), *_selection_parameters(resource, limits)]
    named = {f"{resource.name}.{each['name'].replace('[', '.').rstrip(']')}": each for each in own}
    return {**(_page_parameters(limits) if is_list else {}), **named}


def search_schema(resource: Resource[Any], limits: Limits) -> dict[str, Any]:
    """The body of a search: what the query parameters of the resource's lists say, as one object."""
    given = {each["name"]: each for each in parameters_of(resource, limits, is_list=True).values()}
    return {
        "type": "object",
        "title": f"{pascal(resource.name)}Search",
        "description": f"Which {resource.nouns} to list, and how: its members say what the query parameters do. What "
        "is null, or an empty list, counts as left out.",
        "additionalProperties": False,
        "properties": {name: _member(given[name]) for name in Search.model_fields if name in given},
        "examples": [{"limit": limits.usual_page, "sort": ["-id"]}],
    }


def _member(parameter: dict[str, Any]) -> dict[str, Any]:
    """A query parameter as a member of an object."""
    schema = parameter["schema"]
    if "contentSchema" in schema:
        return {"anyOf": [schema["contentSchema"], {"type": "null"}]}
    return {name: value for name, value in schema.items() if name != "default"} | {"type": [schema["type"], "null"]}


def _page_parameters(limits: Limits) -> dict[str, dict[str, Any]]:
    """What pages any list."""
    found = [
        _query("limit", "How many at most.", _integer(1, limits.page_size, limits.usual_page)),
        _query("after", "A cursor: the page behind it.", _CURSOR),
        _query("before", "A cursor: the page before it; beside `after`, where the pages end.", _CURSOR),
        _query("skip", "How many to pass over; for paging by hand.", _integer(0, limits.skip, 0)),
        _query("count", "Whether to count the whole list.", {"type": "boolean", "default": False}),
    ]
    return {each["name"]: each for each in found}


def _list_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    words = f"Fields to sort by, `-` for descending: {_quoted(resource.sorts)}."
    entries = {"$ref": f"{SCHEMA}{sort_name(resource)}"}
    found = [
        _query("sort", words, {"type": "array", "items": entries, "minItems": 1, "maxItems": MAX_SORTS}),
        _filter(resource),
    ]
    if resource.search:
        words = f"Words to search for in {' and '.join(resource.search)}."
        found.append(_query("q", words, {"type": "string", "maxLength": MAX_SEARCH}))
    deprecated = deprecations_of(resource.read)
    for name in resource.filters:
        kind, mark = resource.fields[name], {"deprecated": True} if name in deprecated else {}
        found += [{**_condition(name, kind, operator, limits), **mark} for operator in _operators(kind)]
    return found


def _operators(kind: FieldType) -> tuple[Operator, ...]:
    """Those with a parameter of their own."""
    if kind.python is datetime:
        return ()
    return (Operator.EQ, Operator.IN) if kind.enum is not None else (Operator.EQ,)


def _filter(resource: Resource[Any]) -> dict[str, Any]:
    """JSON in a text, which is what every client can send; `content` in its place is what few generators read."""
    name = filter_name(resource)
    words = f"A filter in JSON, as `{name}` has it: any condition, and `and`, `or`, `not`. It holds beside the others."
    example = '{"created_at": {"gte": "2026-01-31T12:00:00Z"}}' if "created_at" in resource.filters else "{}"
    schema = {
        "type": "string", "contentMediaType": "application/json", "contentSchema": {"$ref": f"{SCHEMA}{name}"},
        "examples": [example],
    }  # fmt: skip
    return _query("filter", words, schema)


def _selection_parameters(resource: Resource[Any], limits: Limits) -> list[dict[str, Any]]:
    relations = _quoted(resource.relations) or "none"
    deep = f"Dots lead to relations of relations, {limits.include_depth} deep."
    text = {"type": "array", "items": {"type": "string", "pattern": _PATH}}
    shown = "Fields to show, `relation.field` for an included relation's; all if left out."
    return [
        _query("include", f"Relations to include: {relations}. {deep}", {**text, "maxItems": limits.includes}),
        _query("fields", shown, text),
    ]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _condition(name: str, kind: FieldType, operator: Operator, limits: Limits) -> dict[str, Any]:
    parameter = name if operator is Operator.EQ else f"{name}[{operator.value}]"
    schema = operand_schema(kind, operator, limits)
    if operator is Operator.IN:  # a parameter without a value is a list of one empty text
        schema |= {"minItems": 1}
    return _query(parameter, f"`{name}` {_WORDS[operator]}.", schema)


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _integer(least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}
