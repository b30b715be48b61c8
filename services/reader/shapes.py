"""The inputs of a query's slots for one call, split into their shape, on which the statement depends, and their values.

Calls whose inputs have equal shapes share one plan; their values are bound to its parameters by place.
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
from services.queries.selections import Input, Query
from services.reader.conditions import cursor_values, operand_value

_PLACES: Final = {"limit": 0, "limit_next": 1, "skip": 2, "reach": 3, "reach_next": 4, "search": 5}
"""`limit` rows, or one more to detect a next page; `reach` includes the skipped rows."""


@dataclass(slots=True)
class BoundInput:
    """One slot's input, its shape and its values. `after` and `before` are the decoded values of cursors."""

    given: Input
    shape: Hashable
    values: Sequence[Any]
    arguments: ListArguments | None = None
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None
    nodes: Sequence[tuple[int, bytes]] = ()
    """For identifiers: the index of each one's resource in the shape, and the bytes of its key."""

    @property
    def resources(self) -> Sequence[Resource[Any]]:
        """For identifiers: the resources in the shape."""
        assert isinstance(self.shape, tuple)
        return self.shape

    def place(self, name: str) -> int:
        """Return the index of an operand's value."""
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


def bind_list(resource: Resource[Any], arguments: ListArguments, cursors: CursorCodec) -> BoundInput:
    """Bind the arguments of a list. Raises `validation_failed` for a cursor of another list or order."""
    limit, skip, tree = arguments.limit, arguments.skip, arguments.filter
    after, before = cursor_values(resource, arguments, cursors)
    shape = (
        arguments.order, skip > 0, arguments.search is not None, _nulls(after), _nulls(before), arguments.backward,
        _filter_shape(tree),
    )  # fmt: skip
    values = [limit, limit + 1, skip, limit + skip, limit + skip + 1, arguments.search, *(after or ()), *(before or ())]
    if tree is not None:
        values += [operand_value(condition) for condition in conditions(tree)]
    return BoundInput(arguments, shape, values, arguments, after, before)


def bind_nodes(located: Sequence[tuple[Resource[Any], UUID]]) -> BoundInput:
    """Bind identifiers of rows of any resources."""
    keys: dict[Resource[Any], list[UUID]] = {}
    for resource, key in located:
        keys.setdefault(resource, []).append(key)
    places = {resource: place for place, resource in enumerate(keys)}
    nodes = [(places[resource], key.bytes) for resource, key in located]
    return BoundInput(located, tuple(keys), tuple(keys.values()), nodes=nodes)


def bind(query: Query, inputs: Sequence[Input | BoundInput], cursors: CursorCodec) -> list[BoundInput]:
    """Bind every slot's input that is not bound yet. Raises as `bind_list`."""
    return [
        slot_input if type(slot_input) is BoundInput else bind_input(slot_input, query.lists.get(slot), cursors)  # type: ignore[arg-type]
        for slot, slot_input in enumerate(inputs)
    ]


def bind_input(slot_input: Input, resource: Resource[Any] | None, cursors: CursorCodec) -> BoundInput:
    """Bind one slot's input; `resource` is that of a list. Raises as `bind_list`."""
    if isinstance(slot_input, ListArguments):
        assert resource is not None
        return bind_list(resource, slot_input, cursors)
    return BoundInput(slot_input, None, (slot_input,)) if isinstance(slot_input, UUID) else bind_nodes(slot_input)


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
