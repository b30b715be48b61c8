"""Parses query strings: pages, filters, orders, search, and the fields and relations to include.

`limit`, `after`, `before`, `skip`, `count=true`, `sort=-created_at,title`, `q=words`, `status=open`,
`created_at[gte]=…`, `status[in]=open,done`, `filter=<JSON>`, `include=labels,comments.author`,
`fields=id,title,comments.body`.

Lists (`sort`, `include`, `fields`, and the operands of `in` and `not_in`) are separated by commas, or given by
repeating the parameter, or both (OpenAPI's style `form`, without and with `explode`). They are split before they are
decoded: `name[in]=x%2Cy,a` has two values, the first of which contains a comma. If no value can contain a comma,
encoded commas separate too, because many clients encode every comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from rest.representation import listing
from services.catalogue import Problem
from services.catalogue.json_input import refuse_twice
from services.catalogue.problems import BAD_REQUEST, VALIDATION_FAILED, FieldError
from services.catalogue.resources import Resource
from services.catalogue.scalars import written_number
from services.queries.cursors import SortTerm
from services.queries.limits import DEFAULTS, Limits, check_query_string
from services.queries.lists import ListArguments, list_arguments
from services.queries.selections import Input, Many, One, Selection, Value

BRACKETED: Final = re.compile(r"([a-z0-9_]+)\[([a-z_]+)\]")
_LISTED: Final = re.compile(r"sort|include|fields|[a-z0-9_]+\[(not_)?in\]")
"""The names of parameters that hold lists."""
_LIST_PARAMETERS: Final = ("limit", "after", "before", "skip", "q", "filter")
_BOOLEANS: Final = {"true": True, "false": False}

Parameters = dict[str, list[str]]
"""The values of query parameters by name: the elements of a list, or one string."""


def parameters(query_string: bytes, limits: Limits = DEFAULTS) -> Parameters:
    """Parse a query string, where only lists may repeat. Raises `bad_request`, `validation_failed`, `too_complex`."""
    check_query_string(query_string, limits)
    values: Parameters = {}
    for name, raw in raw_pairs(query_string):
        if _LISTED.fullmatch(name):
            values.setdefault(name, []).extend(decode_value(element) for element in raw.split(","))
            continue
        value = decode_value(raw)
        if name in values:
            raise Problem.field(name, "conflict", "This parameter is given twice.")
        values[name] = [value]
    return values


def raw_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Split a query string into decoded names and values that are still encoded. Raises `bad_request`."""
    try:
        parts = [part.partition("=") for part in query_string.decode("ascii").split("&") if part]
    except ValueError:
        raise _not_utf8() from None
    return [(decode_value(name), raw) for name, _, raw in parts]


def decode_value(raw: str) -> str:
    """Decode a value of application/x-www-form-urlencoded. Raises `bad_request` for invalid UTF-8."""
    try:
        return unquote_plus(raw, errors="strict")
    except ValueError:
        raise _not_utf8() from None


def _not_utf8() -> Problem:
    return Problem(BAD_REQUEST, "The query string is not valid UTF-8.")


def list_parameter(given: Parameters, parameter: str) -> list[str]:
    """Return the names in a list parameter. An empty string is an empty list."""
    names = _split(given.get(parameter, ()))
    return [] if names == [""] else names


def _split(values: Iterable[str]) -> list[str]:
    """Split the elements of a list again, at commas that were encoded."""
    return [element for value in values for element in value.split(",")]


def parse_selection(
    resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS
) -> tuple[Selection, list[Input]]:
    """Remove `include` and `fields`; return the selection, and inputs from slot 1 on. Raises `validation_failed`."""
    paths, fields = list_parameter(given, "include"), list_parameter(given, "fields")
    for name in ("include", "fields"):
        given.pop(name, None)
    root = _Branch(resource)
    if len(paths) > limits.MAX_INCLUDES:
        raise Problem.field("include", "length", f"At most {limits.MAX_INCLUDES} relations can be included.")
    for index, path in enumerate(paths):
        _include(root, path, ("include", index), limits.MAX_INCLUDE_DEPTH)
    for index, path in enumerate(fields):
        _choose(root, path, ("fields", index))
    inputs: list[Input] = []
    return _selection(root, inputs, limits), inputs


def parse_count(given: Parameters) -> bool:
    """Remove `count` from the parameters: whether to count the whole list. Raises `validation_failed`."""
    return "count" in given and _boolean(("count",), given.pop("count")[0])


def parse_list(resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS) -> ListArguments:
    """Remove the parameters of a list from the given ones. Raises `validation_failed` naming the invalid one."""
    data: dict[str, Any] = {name: given.pop(name)[0] for name in _LIST_PARAMETERS if name in given}
    for name in ("limit", "skip"):
        if name in data:
            data[name] = written_number(data[name])
    if "sort" in given:
        data["sort"] = _split(given.pop("sort"))
    data["filter"] = _filter(resource, data.get("filter"), given)
    return list_arguments(resource, data, limits)


def refuse_unknown(given: Parameters) -> None:
    """Raise `validation_failed` naming every parameter that has not been removed."""
    if given:
        errors = [FieldError((name,), "unknown", "There is no such parameter.") for name in given]
        raise Problem(VALIDATION_FAILED, errors=errors)


def _filter(resource: Resource[Any], text: str | None, given: Parameters) -> dict[str, Any] | None:
    """Return the conjunction of the conditions on fields and of the JSON in `filter`, as plain data."""
    fields: dict[str, dict[str, Any]] = {}
    for name in list(given):
        bracketed = BRACKETED.fullmatch(name)
        field, operator = (bracketed[1], bracketed[2]) if bracketed else (name, "eq")
        if field in resource.filters:
            path = ("filter", field, operator)
            conditions = fields.setdefault(field, {})
            if operator in conditions:
                raise Problem.field(path, "conflict", "This condition is given twice.")
            conditions[operator] = _operand(resource, field, operator, given.pop(name), path)
    if text is None:
        return fields or None
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem.field("filter", "format", "This is not well-formed JSON.") from None
    refuse_twice(text.encode(), "The filter", ("filter",))
    if not isinstance(tree, Mapping):
        raise Problem.field("filter", "type", "This must be an object.")
    return {"and": [fields, tree]} if fields else dict(tree)


def _operand(resource: Resource[Any], field: str, operator: str, values: list[str], path: tuple[str, ...]) -> Any:
    kind = bool if operator == "is_null" else resource.fields[field].python
    if operator in ("in", "not_in"):
        elements = values if kind is str else _split(values)
        return [_json_value(kind, element, (*path, index)) for index, element in enumerate(elements)]
    return _json_value(kind, values[0], path)


def _json_value(kind: type, text: str, path: tuple[str | int, ...]) -> Any:
    if kind is bool:
        return _boolean(path, text)
    return written_number(text) if kind is int else text


def _boolean(path: tuple[str | int, ...], text: str) -> bool:
    if text not in _BOOLEANS:
        raise Problem.field(path, "type", "This must be true or false.")
    return _BOOLEANS[text]


@dataclass(slots=True)
class _Branch:
    """What to show of a resource: the relations to include, and the fields, which are all of them if none is named."""

    resource: Resource[Any]
    below: dict[str, _Branch] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)


def _include(branch: _Branch, path: str, place: tuple[str, int], max_depth: int) -> None:
    steps = path.split(".")
    if len(steps) > max_depth:
        raise Problem.field(place, "length", f"Relations can be included {max_depth} deep.")
    for step in steps:
        relation = branch.resource.relations.get(step)
        if relation is None:
            raise Problem.field(place, "unknown", "There is no such relation.")
        branch = branch.below.setdefault(step, _Branch(relation.target))


def _choose(branch: _Branch, path: str, place: tuple[str, int]) -> None:
    parent, _, name = path.rpartition(".")
    for step in parent.split(".") if parent else []:
        if step not in branch.below:
            raise Problem.field(place, "unknown", "This is not of a relation that is included.")
        branch = branch.below[step]
    if name not in branch.resource.fields:
        raise Problem.field(place, "unknown", "There is no such field.")
    branch.fields.add(name)


def _selection(branch: _Branch, inputs: list[Input], limits: Limits) -> Selection:
    resource, names = branch.resource, branch.fields or branch.resource.fields
    members: list[Value | One | Many] = [Value(name, name) for name in resource.fields if name in names]
    for name, below in branch.below.items():
        relation = resource.relations[name]
        if relation.many:
            inputs.append(ListArguments((SortTerm("id", descending=True),), limits.usual_page))
        slot = len(inputs)
        selection = _selection(below, inputs, limits)
        if relation.many:
            members.append(Many(name, relation, slot, listing(selection, count=False)))
        else:
            members.append(One(name, relation, selection))
    return Selection(tuple(members))
