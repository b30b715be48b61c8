"""What a query's slots are given for one call, split into what the statement's text depends on, and what it doesn't.

Two calls whose inputs have equal shapes share one plan; their values are bound to its parameters by place.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.catalogue.resources import Resource
from services.catalogue.scalars import Operator
from services.queries.cursors import CursorCodec
from services.queries.filters import AllOf, AnyOf, Condition, Filter, Not, conditions
from services.queries.lists import ListArguments
from services.queries.selections import Input, ListRoot, Many, Query
from services.reader.conditions import operand_value

_PLACES: Final = {"limit": 0, "limit_next": 1, "skip": 2, "reach": 3, "reach_next": 4, "search": 5}
"""`limit` rows, or one more that tells whether there is a next page; `reach` counts the rows skipped too."""


@dataclass(slots=True)
class Bound:
    """One slot's input: its shape and its values. `after` and `before` are the values of cursors, decoded."""

    shape: Hashable
    values: Sequence[Any]
    arguments: ListArguments | None = None
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None
    nodes: Sequence[tuple[int, bytes]] = ()
    """Of identifiers: for each, which resource of the shape it is of, and the bytes of its key."""

    @property
    def resources(self) -> Sequence[Resource[Any]]:
        """Of identifiers: the resources in the shape."""
        assert isinstance(self.shape, tuple)
        return self.shape

    def place(self, name: str) -> int:
        """Where the value of an operand is found."""
        if name in _PLACES:
            return _PLACES[name]
        if self.arguments is None:
            return int(name[1:])
        start = len(_PLACES)
        if name[0] != "a":
            start += len(self.after or ())
        if name[0] == "f":
            start += len(self.before or ())
        return start + int(name[1:])


def bind_list(resource: Resource[Any], arguments: ListArguments, cursors: CursorCodec) -> Bound:
    """The arguments of a list. Raises `validation_failed` for a cursor of another list or order."""
    limit, skip, tree = arguments.limit, arguments.skip, arguments.filter
    after = before = None
    if arguments.after is not None:
        after = cursors.decode(resource, arguments.order, arguments.after)
    if arguments.before is not None:
        before = cursors.decode(resource, arguments.order, arguments.before, ("before",))
    shape = (
        arguments.order, skip > 0, arguments.search is not None, _nulls(after), _nulls(before), arguments.backward,
        _filter_shape(tree),
    )  # fmt: skip
    values = [limit, limit + 1, skip, limit + skip, limit + skip + 1, arguments.search, *(after or ()), *(before or ())]
    if tree is not None:
        values += [operand_value(each) for each in conditions(tree)]
    return Bound(shape, values, arguments, after, before)


def bind_key(key: UUID) -> Bound:
    """The key of one row."""
    return Bound(None, (key,))


def bind_nodes(located: Sequence[tuple[Resource[Any], UUID]]) -> Bound:
    """Rows of any resources."""
    keys: dict[Resource[Any], list[UUID]] = {}
    for resource, key in located:
        keys.setdefault(resource, []).append(key)
    places = {resource: place for place, resource in enumerate(keys)}
    nodes = [(places[resource], key.bytes) for resource, key in located]
    return Bound(tuple(keys), tuple(keys.values()), nodes=nodes)


def bind(query: Query, inputs: Sequence[Input], cursors: CursorCodec) -> list[Bound]:
    """Every slot's input. Raises as `bind_list`."""
    lists = list_slots(query)
    return [bind_input(each, lists.get(slot), cursors) for slot, each in enumerate(inputs)]


def bind_input(given: Input, resource: Resource[Any] | None, cursors: CursorCodec) -> Bound:
    """One slot's input; `resource` is what a list is of. Raises as `bind_list`."""
    if isinstance(given, ListArguments):
        assert resource is not None
        return bind_list(resource, given, cursors)
    return bind_key(given) if isinstance(given, UUID) else bind_nodes(given)


def list_slots(query: Query) -> dict[int, Resource[Any]]:
    """The resource of each slot that takes a list's arguments."""
    found = {}
    for part in query.parts:
        if isinstance(part, ListRoot):
            found[part.slot] = part.resource
        elif isinstance(part, Many):
            found[part.slot] = part.relation.target
    return found


def _nulls(values: tuple[Any, ...] | None) -> Hashable:
    return None if values is None else tuple(value is None for value in values)


def _filter_shape(tree: Filter | None) -> Hashable:
    match tree:
        case Condition(field, operator, value):
            return (field, operator, value) if operator is Operator.IS_NULL else (field, operator)
        case AllOf(parts):
            return ("and", *[_filter_shape(part) for part in parts])
        case AnyOf(parts):
            return ("or", *[_filter_shape(part) for part in parts])
        case Not(part):
            return ("not", _filter_shape(part))
    return None
