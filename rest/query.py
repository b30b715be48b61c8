"""The grammar of query strings: pages, filters, orders, search, and what to include.

`limit`, `after`, `before`, `skip`, `count=true`, `sort=-created_at,title`, `q=words`, `status=open`,
`created_at[gte]=…`, `status[in]=open,done`, `filter=<JSON>`, `include=labels,comments.author`,
`fields=id,title,comments.body`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from rest.representation import listing
from services.catalogue import Problem, Resource, Selection
from services.catalogue.cursors import Order
from services.catalogue.limits import DEFAULTS, Limits, check_query_string
from services.catalogue.lists import ListArguments, list_arguments
from services.catalogue.problems import BAD_REQUEST, VALIDATION_FAILED, FieldError
from services.catalogue.selections import Input, Many, One, Value

MAX_INCLUDES: Final = DEFAULTS.includes

BRACKETED: Final = re.compile(r"([a-z0-9_]+)\[([a-z_]+)\]")
_INTEGER: Final = re.compile(r"-?[0-9]+")
_LONGEST: Final = 12
"""Characters of an integer that is worth looking at."""
_LIST_PARAMETERS: Final = ("limit", "after", "before", "skip", "sort", "q", "filter")
_LISTS: Final = ("sort", "include", "fields")
_LIST_OPERATORS: Final = ("[in]", "[not_in]")
_BOOLEANS: Final = {"true": True, "false": False}

Parameters = dict[str, str]


def parameters(query_string: bytes, limits: Limits = DEFAULTS) -> Parameters:
    """Query parameters, each at most once, but for lists: one may come as its parameter repeated.

    Raises `uri_too_long` and `too_complex` when there are too many, `bad_request` when they are not UTF-8,
    `validation_failed` naming one that comes twice.
    """
    check_query_string(query_string, limits)
    found: Parameters = {}
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Problem(BAD_REQUEST, "The query string is not valid UTF-8.") from None
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif _is_list(name):
            found[name] += f",{value}"
        else:
            raise Problem.field(name, "conflict", "This parameter is given twice.")
    return found


def _is_list(name: str) -> bool:
    return name in _LISTS or name.endswith(_LIST_OPERATORS)


def parse_selection(
    resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS
) -> tuple[Selection, list[Input]]:
    """Take `include` and `fields` out of the parameters; the inputs are those of slots from 1 on.

    Raises `validation_failed` naming the one at fault.
    """
    include, fields = given.pop("include", None), given.pop("fields", None)
    tree: dict[str, Any] = {}
    paths = include.split(",") if include else []
    if len(paths) > limits.includes:
        raise Problem.field("include", "length", f"At most {limits.includes} relations can be included.")
    for index, path in enumerate(paths):
        _plant(tree, resource, path, index, limits.include_depth)
    wanted: dict[str, set[str]] = {}
    for index, path in enumerate(fields.split(",") if fields else []):
        parent, _, name = path.rpartition(".")
        _check_field(tree, resource, parent, name, index)
        wanted.setdefault(parent, set()).add(name)
    inputs: list[Input] = []
    return _selection(resource, tree, wanted, "", inputs, limits), inputs


def parse_count(given: Parameters) -> bool:
    """Take `count` out of the parameters: whether to tell the size of the whole list. Raises `validation_failed`."""
    return _boolean(("count",), given.pop("count")) if "count" in given else False


def parse_list(resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS) -> ListArguments:
    """Take the parameters of a list out of the given ones. Raises `validation_failed` naming the one at fault."""
    data: dict[str, Any] = {name: given.pop(name) for name in _LIST_PARAMETERS if name in given}
    for name in ("limit", "skip"):
        if name in data:
            short = len(data[name]) <= _LONGEST and _INTEGER.fullmatch(data[name])
            data[name] = int(data[name]) if short else data[name]
    if "sort" in data:
        data["sort"] = data["sort"].split(",")
    data["filter"] = _filter(resource, data.get("filter"), given)
    return list_arguments(resource, data, limits)


def refuse_rest(given: Parameters) -> None:
    """Raises `validation_failed` naming every parameter that nobody has taken."""
    if given:
        errors = [FieldError((name,), "unknown", "There is no such parameter.") for name in given]
        raise Problem(VALIDATION_FAILED, errors=errors)


def _filter(resource: Resource[Any], text: str | None, given: Parameters) -> dict[str, Any] | None:
    """The plain form of a filter: field parameters, and the JSON of `filter`, all of which must hold."""
    fields: dict[str, dict[str, Any]] = {}
    for name in list(given):
        bracketed = BRACKETED.fullmatch(name)
        field, operator = (bracketed[1], bracketed[2]) if bracketed else (name, "eq")
        if field in resource.filters:
            path = ("filter", field, operator)
            asked = fields.setdefault(field, {})
            if operator in asked:
                raise Problem.field(path, "conflict", "This condition is given twice.")
            asked[operator] = _operand(resource, field, operator, given.pop(name), path)
    if text is None:
        return fields or None
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem.field("filter", "format", "This is not well-formed JSON.") from None
    if not isinstance(tree, Mapping):
        raise Problem.field("filter", "type", "This must be an object.")
    return {"and": [fields, tree]} if fields else dict(tree)


def _operand(resource: Resource[Any], field: str, operator: str, text: str, path: tuple[str, ...]) -> Any:
    if operator == "is_null":
        return _boolean(path, text)
    kind = resource.fields[field].python
    if operator in ("in", "not_in"):
        return [_typed(kind, each, (*path, index)) for index, each in enumerate(text.split(","))]
    return _typed(kind, text, path)


def _typed(kind: type, text: str, path: tuple[str | int, ...]) -> Any:
    """The JSON value that a text stands for, as far as the field's type makes it another than the text."""
    if kind is bool:
        return _boolean(path, text)
    if kind is int:
        if not _INTEGER.fullmatch(text):
            raise Problem.field(path, "type", "This must be an integer.")
        if len(text) > _LONGEST:
            raise Problem.field(path, "range", "This integer is out of range.")
        return int(text)
    return text


def _boolean(path: tuple[str | int, ...], text: str) -> bool:
    if text not in _BOOLEANS:
        raise Problem.field(path, "type", "This must be true or false.")
    return _BOOLEANS[text]


def _plant(tree: dict[str, Any], resource: Resource[Any], path: str, index: int, most: int) -> None:
    steps = path.split(".")
    if len(steps) > most:
        raise Problem.field(("include", index), "length", f"Relations can be included {most} deep.")
    for step in steps:
        relation = resource.relations.get(step)
        if relation is None:
            raise Problem.field(("include", index), "unknown", "There is no such relation.")
        tree, resource = tree.setdefault(step, {}), relation.target


def _check_field(tree: dict[str, Any], resource: Resource[Any], parent: str, name: str, index: int) -> None:
    for step in parent.split(".") if parent else []:
        if step not in tree:
            raise Problem.field(("fields", index), "unknown", "This is not of a relation that is included.")
        tree, resource = tree[step], resource.relations[step].target
    if name not in resource.fields:
        raise Problem.field(("fields", index), "unknown", "There is no such field.")


def _selection(
    resource: Resource[Any], tree: dict[str, Any], wanted: dict[str, set[str]], prefix: str, inputs: list[Input],
    limits: Limits,
) -> Selection:  # fmt: skip
    chosen = wanted.get(prefix)
    members: list[Value | One | Many] = [
        Value(name, name) for name in resource.fields if chosen is None or name in chosen
    ]
    for name, below in tree.items():
        relation = resource.relations[name]
        if relation.many:
            inputs.append(ListArguments((Order("id", descending=True),), limits.usual_page))
        slot = len(inputs)
        path = f"{prefix}.{name}" if prefix else name
        selection = _selection(relation.target, below, wanted, path, inputs, limits)
        if relation.many:
            members.append(Many(name, relation, slot, listing(selection, count=False)))
        else:
            members.append(One(name, relation, selection))
    return Selection(tuple(members))
