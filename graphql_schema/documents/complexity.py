"""What a document asks for at most, read off the document itself: for whatever can't be planned.

A planned document is judged by its query (services/queries/costs.py). This is its bound, in rows and in points: every
list counts as full, fields of one name are not merged, no condition is looked at. So it is never too low. A fragment is
weighed once for each depth that it is spread at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    is_interface_type,
    is_object_type,
    value_from_ast_untyped,
)

from graphql_schema.schema.fields import fragments_of
from graphql_schema.schema.lists import PAGE_SIZES, rows_asked
from graphql_schema.schema.naming import operations_by_root_field
from services.catalogue import Catalogue, Operation, Problem
from services.catalogue.batches import OPERATIONS
from services.catalogue.naming import pascal
from services.catalogue.problems import TOO_COMPLEX
from services.catalogue.resources import Resource
from services.queries.costs import COUNTED_ROWS, MINIMUM, NODE_WEIGHT, batch_weight, check_rows, hop_points
from services.queries.limits import DEFAULTS, Limits

INTROSPECTION_WEIGHT: Final = 20
"""Of `__schema` and `__type`: no rows, but some milliseconds of work."""
_WEIGHTS: Final = {"__schema": INTROSPECTION_WEIGHT, "__type": INTROSPECTION_WEIGHT, "__typename": 0}
_CONNECTION_PARTS: Final = ("Connection", "Edge")
"""Endings of types whose fields lead to rows that their connection has counted."""
_OUTCOME: Final = "BatchResult"
"""The ending of the type of what has become of an entry of a batch."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a document asks for at most: rows, points (0 where nothing is to be paid), and rows besides those called."""

    rows: int
    points: int
    related: Sequence[Resource[Any]] = ()


class _Weight(NamedTuple):
    """Rows and points of a selection; `once` are the points of its list as a whole, however many rows that has."""

    rows: int = 0
    points: int = 0
    once: int = 0

    def plus(self, other: _Weight) -> _Weight:
        return _Weight(self.rows + other.rows, self.points + other.points, self.once + other.once)

    def times(self, size: int, depth: int) -> _Weight:
        """A list of so many rows, each of which asks for this."""
        return _Weight(size * (1 + self.rows), size * (depth + self.points) + self.once)


def bound_of(
    schema: GraphQLSchema, catalogue: Catalogue, document: DocumentNode, operation: OperationDefinitionNode,
    variables: Mapping[str, Any], limits: Limits,
) -> Judged:  # fmt: skip
    """What a valid operation asks for at most. Raises as `Bound` and `Bound.check`."""
    bound = Bound(schema, operations_by_root_field(catalogue), document, operation, variables, limits)
    bound.check()
    related = [each for each in catalogue.resources.values() if pascal(each.name) in bound.related]
    points = bound.weight.points
    return Judged(bound.weight.rows, 0 if bound.is_crowded and not points else max(points, MINIMUM), related)


class Bound:
    """The bound of one operation, its variables being of the right types; `operations` by the fields that call them.

    `related` are the types of rows that are reached through relations. `is_crowded`: it has a batch of more entries
    than there may be, which is refused, and costs nothing. Making it raises as `fields_at_the_top`.
    """

    def __init__(
        self, schema: GraphQLSchema, operations: Mapping[str, Operation], document: DocumentNode,
        operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: Limits = DEFAULTS,
    ) -> None:  # fmt: skip
        self._schema, self._limits = schema, limits
        self._values, self._fragments = values_of(operation, variables), fragments_of(document)
        self._found: dict[tuple[str, int, int], _Weight] = {}
        self._entries = 1
        self.related: set[str] = set()
        self.is_crowded, self.weight = False, _Weight()
        root = schema.get_root_type(operation.operation)
        assert root is not None
        for field in fields_at_the_top(document, operation, limits):
            name, weight = field.name.value, NODE_WEIGHT
            called = operations.get(name)
            if called is None:
                weight = _WEIGHTS.get(name, NODE_WEIGHT)
            elif not called.entries:
                weight = called.cost
            else:
                self._entries = self._number_of_entries(field)
                if self._entries > limits.MAX_BATCH_ENTRIES:
                    self.is_crowded = True
                    continue
                weight = batch_weight(called, self._entries)
            self.weight = self.weight.plus(_Weight(points=weight)).plus(self._field(field, root, 0))

    def check(self) -> None:
        """Raises `too_complex` when the operation could ask for too many rows."""
        check_rows(self.weight.rows, self._limits.MAX_ROWS)

    def _number_of_entries(self, field: FieldNode) -> int:
        given = self._argument(field, "input")
        listed = given.get(OPERATIONS) if isinstance(given, Mapping) else None
        return len(listed) if isinstance(listed, list) else 1

    def _below(self, selected: SelectionSetNode, parent: GraphQLNamedType, depth: int) -> _Weight:
        found = _Weight()
        for each in selected.selections:
            found = found.plus(self._selection(each, parent, depth))
        return found

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType, depth: int) -> _Weight:
        if isinstance(node, FieldNode):
            return self._field(node, parent, depth)
        if isinstance(node, InlineFragmentNode):
            kind = self._schema.get_type(node.type_condition.name.value) if node.type_condition else parent
            return self._below(node.selection_set, kind or parent, depth)
        assert isinstance(node, FragmentSpreadNode)
        key = node.name.value, depth, self._entries
        if key not in self._found:
            fragment = self._fragments[node.name.value]
            kind = self._schema.get_type(fragment.type_condition.name.value)
            self._found[key] = self._below(fragment.selection_set, kind or parent, depth)
        return self._found[key]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, depth: int) -> _Weight:
        if not (is_object_type(parent) or is_interface_type(parent)):
            return _Weight()
        definition, is_part = parent.fields.get(node.name.value), _is_part(parent)
        if definition is None or node.selection_set is None:
            return _Weight(once=COUNTED_ROWS * depth if is_part and node.name.value == "totalCount" else 0)
        kind = get_named_type(definition.type)
        if _is_row(parent):
            self.related.add(kind.name.removesuffix("Connection") if _is_part(kind) else kind.name)
        if is_part:
            return self._below(node.selection_set, kind, depth)
        size = self._size(node, kind)
        if size is not None:
            return self._below(node.selection_set, kind, depth + 1).times(size, depth + 1)
        found = self._below(node.selection_set, kind, depth)
        return _Weight(1 + found.rows, found.points + (hop_points(depth) if _is_row(parent) else 0))

    def _size(self, node: FieldNode, kind: GraphQLNamedType) -> int | None:
        """How many rows a list could have: a page of a connection, the identifiers of `nodes`, a batch's entries."""
        if _is_part(kind):
            return rows_asked({name: self._argument(node, name) for name in PAGE_SIZES}, self._limits)
        if kind.name.endswith(_OUTCOME):
            return self._entries
        if any(each.name.value == "ids" for each in node.arguments or ()):
            given = self._argument(node, "ids")
            return len(given) if isinstance(given, (list, tuple)) else 1
        return None

    def _argument(self, node: FieldNode, name: str) -> Any:
        given = next((each.value for each in node.arguments or () if each.name.value == name), None)
        return value_from_ast_untyped(given, self._values) if given is not None else None


def fields_at_the_top(document: DocumentNode, operation: OperationDefinitionNode, limits: Limits) -> list[FieldNode]:
    """The fields at the top of an operation, as often as they are spread. Raises `too_complex` for too many."""
    is_mutation = operation.operation is OperationType.MUTATION
    most = limits.GRAPHQL_MAX_MUTATION_FIELDS if is_mutation else limits.GRAPHQL_MAX_QUERY_FIELDS
    fragments = fragments_of(document)

    def fields(selected: SelectionSetNode) -> Iterator[FieldNode]:
        for each in selected.selections:
            if isinstance(each, FragmentSpreadNode):
                yield from fields(fragments[each.name.value].selection_set)
            elif isinstance(each, InlineFragmentNode):
                yield from fields(each.selection_set)
            elif isinstance(each, FieldNode):
                yield each

    found = list(islice(fields(operation.selection_set), most + 1))  # of what may be exponentially many
    if len(found) > most:
        raise Problem(TOO_COMPLEX, f"There are at most {most} fields at the top of this operation.")
    return found


def values_of(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an operation's variables as they came, or by default."""
    defaults = {
        each.variable.name.value: value_from_ast_untyped(each.default_value)
        for each in operation.variable_definitions or ()
        if each.default_value is not None
    }
    return {**defaults, **variables}


def _is_row(kind: GraphQLNamedType) -> bool:
    """Whether the type is a resource's; one may well be called `Edge`."""
    return is_object_type(kind) and any(each.name == "Node" for each in kind.interfaces)


def _is_part(kind: GraphQLNamedType) -> bool:
    return kind.name.endswith(_CONNECTION_PARTS) and not _is_row(kind)
