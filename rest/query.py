"""The grammar of query strings: pages, filters, orders, search, and what to include.

`limit`, `after`, `before`, `skip`, `count=true`, `sort=-created_at,title`, `q=words`, `status=open`,
`created_at[gte]=…`, `status[in]=open,done`, `filter=<JSON>`, `include=labels,comments.author`,
`fields=id,title,comments.body`.

Lists (`sort`, `include`, `fields`, and what `in` and `not_in` compare with) are written with commas, or by giving the
parameter several times, or both (OpenAPI's style `form`, without and with `explode`). They are split before they are
decoded: `name[in]=x%2Cy,a` are two values, the first of which has a comma in it. Where no value can have one, encoded
commas separate all the same, since many clients encode every comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from rest.representation import listing
from services.catalogue import Problem
from services.catalogue.json_input import refuse_twice
from services.catalogue.problems import BAD_REQUEST, VALIDATION_FAILED, FieldError
from services.catalogue.resources import Resource
from services.catalogue.scalars import written_number
from services.queries.cursors import Order
from services.queries.limits import DEFAULTS, Limits, check_query_string
from services.queries.lists import ListArguments, list_arguments
from services.queries.selections import Input, Many, One, Selection, Value

MAX_INCLUDES: Final = DEFAULTS.includes

BRACKETED: Final = re.compile(r"([a-z0-9_]+)\[([a-z_]+)\]")
_LISTED: Final = re.compile(r"sort|include|fields|[a-z0-9_]+\[(not_)?in\]")
"""The names of parameters that hold lists."""
_LIST_PARAMETERS: Final = ("limit", "after", "before", "skip", "q", "filter")
_BOOLEANS: Final = {"true": True, "false": False}

Parameters = dict[str, list[str]]
"""What was given, by name: the entries of a list, or one text."""


def parameters(query_string: bytes, limits: Limits = DEFAULTS) -> Parameters:
    """Query parameters, each at most once if it is no list.

    Raises `uri_too_long` and `too_complex` when there are too many, `bad_request` when they are not UTF-8,
    `validation_failed` naming one that comes twice.
    """
    check_query_string(query_string, limits)
    found: Parameters = {}
    for name, raw in raw_pairs(query_string):
        values = [decoded(each) for each in raw.split(",")] if _LISTED.fullmatch(name) else [decoded(raw)]
        if name not in found:
            found[name] = values
        elif _LISTED.fullmatch(name):
            found[name] += values
        else:
            raise Problem.field(name, "conflict", "This parameter is given twice.")
    return found


def raw_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string in order: names, and texts that are encoded still. Raises `bad_request`."""
    try:
        parts = [each.partition("=") for each in query_string.decode("ascii").split("&") if each]
    except ValueError:
        raise _not_utf8() from None
    return [(decoded(name), raw) for name, _, raw in parts]


def decoded(raw: str) -> str:
    """A text of a query string (application/x-www-form-urlencoded). Raises `bad_request` for what is not UTF-8."""
    try:
        return unquote_plus(raw, errors="strict")
    except ValueError:
        raise _not_utf8() from None


def _not_utf8() -> Problem:
    return Problem(BAD_REQUEST, "The query string is not valid UTF-8.")


def names_in(given: Parameters, parameter: str) -> list[str]:
    """The names in a list; an empty text is an empty list."""
    found = _split(given.get(parameter, ()))
    return [] if found == [""] else found


def _split(values: Iterable[str]) -> list[str]:
    """The entries of a list whose values have no commas."""
    return [part for each in values for part in each.split(",")]


def _text(given: Parameters, parameter: str) -> str | None:
    """Take one text out of the parameters."""
    return given.pop(parameter)[0] if parameter in given else None


def parse_selection(
    resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS
) -> tuple[Selection, list[Input]]:
    """Take `include` and `fields` out of the parameters; the inputs are those of slots from 1 on.

    Raises `validation_failed` naming the one at fault.
    """
    paths, fields = names_in(given, "include"), names_in(given, "fields")
    for name in ("include", "fields"):
        given.pop(name, None)
    tree: dict[str, Any] = {}
    if len(paths) > limits.includes:
        raise Problem.field("include", "length", f"At most {limits.includes} relations can be included.")
    for index, path in enumerate(paths):
        _plant(tree, resource, path, index, limits.include_depth)
    wanted: dict[str, set[str]] = {}
    for index, path in enumerate(fields):
        parent, _, name = path.rpartition(".")
        _check_field(tree, resource, parent, name, index)
        wanted.setdefault(parent, set()).add(name)
    inputs: list[Input] = []
    return _selection(resource, tree, wanted, "", inputs, limits), inputs


def parse_count(given: Parameters) -> bool:
    """Take `count` out of the parameters: whether to tell the size of the whole list. Raises `validation_failed`."""
    text = _text(given, "count")
    return _boolean(("count",), text) if text is not None else False


def parse_list(resource: Resource[Any], given: Parameters, limits: Limits = DEFAULTS) -> ListArguments:
    """Take the parameters of a list out of the given ones. Raises `validation_failed` naming the one at fault."""
    data: dict[str, Any] = {name: _text(given, name) for name in _LIST_PARAMETERS if name in given}
    for name in ("limit", "skip"):
        if name in data:
            data[name] = written_number(data[name])
    if "sort" in given:
        data["sort"] = _split(given.pop("sort"))
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
    refuse_twice(text.encode(), "The filter", ("filter",))
    if not isinstance(tree, Mapping):
        raise Problem.field("filter", "type", "This must be an object.")
    return {"and": [fields, tree]} if fields else dict(tree)


def _operand(resource: Resource[Any], field: str, operator: str, values: list[str], path: tuple[str, ...]) -> Any:
    if operator == "is_null":
        return _boolean(path, values[0])
    kind = resource.fields[field].python
    if operator in ("in", "not_in"):
        entries = values if kind is str else _split(values)
        return [_typed(kind, each, (*path, index)) for index, each in enumerate(entries)]
    return _typed(kind, values[0], path)


def _typed(kind: type, text: str, path: tuple[str | int, ...]) -> Any:
    """The JSON value that a text stands for, as far as the field's type makes it another than the text."""
    if kind is bool:
        return _boolean(path, text)
    return written_number(text) if kind is int else text


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
