"""What a document costs, by the formula of services/queries/costs.py, read off the document itself.

Compiled operations are priced by their queries; this prices whatever goes down the general path. A test holds the two
together: a document has one price, whichever way it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
    is_object_type,
    value_from_ast_untyped,
)

from graphql_schema.documents.complexity import PAGE_SIZES, document_rows
from graphql_schema.schema.fields import Collector, Fields, condition_names
from graphql_schema.schema.naming import called_by_field
from services.catalogue import Catalogue, Operation
from services.catalogue.batches import OPERATIONS
from services.catalogue.naming import pascal
from services.catalogue.resources import Resource
from services.catalogue.scalars import integral
from services.queries.costs import COUNTED_ROWS, MINIMUM, NODE_WEIGHT, batch_weight, hop_points
from services.queries.limits import DEFAULTS, Limits
from services.reader.statement import NotCompiledError

INTROSPECTION_WEIGHT: Final = 20
"""Of `__schema` and `__type`: no rows, but some milliseconds of work."""
MAX_VISITED: Final = 10_000
"""Selections that are looked at, fragments in their places; what has more is priced by the row."""
DEEP: Final = 5
"""Points of a row then."""

_INTROSPECTION: Final = ("__schema", "__type")


@dataclass(frozen=True, slots=True)
class Priced:
    """What a document costs, the operations that it calls, and whatever rows it reads besides theirs.

    `sought` are the identifiers of its `node` and `nodes`: one, or a list; `fields` those of the root. Nothing is to
    be paid where batches of more entries than there may be are all that it asks for.
    """

    cost: int
    called: tuple[Operation, ...]
    resources: tuple[Resource[Any], ...]
    sought: tuple[str | Sequence[str], ...] = ()
    fields: tuple[FieldNode, ...] = ()


class Prices:
    """Prices the documents of one schema."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits = DEFAULTS) -> None:
        self.schema, self.limits = schema, limits
        self.operations = called_by_field(catalogue)
        kinds: dict[str, Any] = {
            pascal(each.name): schema.get_type(pascal(each.name)) for each in catalogue.resources.values()
        }
        self.rows: dict[str, GraphQLObjectType] = {name: kind for name, kind in kinds.items() if is_object_type(kind)}
        self.connections = {f"{name}Connection": kind for name, kind in self.rows.items()}
        self.resources = {pascal(each.name): each for each in catalogue.resources.values()}

    def price(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> Priced:  # fmt: skip
        """The price of one valid operation of a valid document, its variables being of the right types."""
        walk = _Walk(self, document, operation, variables)
        try:
            points = walk.root(operation)
        except (NotCompiledError, RecursionError):
            points = DEEP * document_rows(self.schema, document, operation, variables) + walk.weight
        cost = 0 if walk.crowded and not points else max(points, MINIMUM)
        return Priced(cost, tuple(walk.called), tuple(walk.resources), tuple(walk.sought), tuple(walk.fields))


class _Walk:
    def __init__(
        self, prices: Prices, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        self.prices, self.variables = prices, variables
        self.defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        conditions = {name: self._value(name) is True for name in condition_names(document, operation)}
        self.collector = Collector(document, conditions)
        self.called: list[Operation] = []
        self.resources: dict[Resource[Any], None] = {}
        self.sought: list[str | Sequence[str]] = []
        self.fields: list[FieldNode] = []
        self.crowded = False
        self.weight = 0

    def root(self, operation: OperationDefinitionNode) -> int:
        """Points of all of it."""
        root = self.prices.schema.get_root_type(operation.operation)
        assert root is not None
        fields = self._counted(self.collector.of([operation.selection_set], frozenset({root.name})))
        for nodes in fields.values():
            self.fields.append(nodes[0])
            self.weight += self._weight(nodes[0])
        return self.weight + sum(self._top(root, nodes) for nodes in fields.values())

    def _weight(self, node: FieldNode) -> int:
        name = node.name.value
        operation = self.prices.operations.get(name)
        if operation is not None:
            self.called.append(operation)
            if not operation.entries:
                return operation.cost
            entries = self._entries(node)
            return 0 if entries is None else batch_weight(operation, entries)
        if name in _INTROSPECTION:
            return INTROSPECTION_WEIGHT
        return 0 if name == "__typename" else NODE_WEIGHT

    def _top(self, root: GraphQLObjectType, nodes: list[FieldNode]) -> int:
        name = nodes[0].name.value
        definition = root.fields.get(name)
        if definition is None:
            return 0
        if name in ("node", "nodes") and name not in self.prices.operations:
            return self._found(nodes, many=name == "nodes")
        kind = get_named_type(definition.type)
        if kind.name in self.prices.connections:
            return self._page(nodes, kind, 1)
        if kind.name in self.prices.rows:
            return self._row(nodes, kind, 0)
        # A payload, whose row is what the operation is about.
        points, operation = 0, self.prices.operations.get(name)
        for inner in self._below(nodes, kind).values():
            target = self._target(kind, inner[0])
            if target is not None and operation is not None and operation.entries and inner[0].name.value == "results":
                points += (self._entries(nodes[0]) or 0) * (1 + self._outcome(inner, target))
            elif target is not None:
                points += self._row(inner, target, 0)
        return points

    def _outcome(self, nodes: list[FieldNode], kind: GraphQLNamedType) -> int:
        """Points of each entry of a batch for what is shown of its row."""
        points = 0
        for inner in self._below(nodes, kind).values():
            target = self._target(kind, inner[0])
            if target is not None and target.name in self.prices.rows:
                points += self._row(inner, target, 1)
        return points

    def _entries(self, node: FieldNode) -> int | None:
        """How many entries a batch has; None for more than there may be, which are refused and cost nothing."""
        value = self._untyped(node, "input")
        listed = value.get(OPERATIONS) if isinstance(value, Mapping) else None
        number = len(listed) if isinstance(listed, list) else 1
        self.crowded = self.crowded or number > self.prices.limits.batch_entries
        return number if number <= self.prices.limits.batch_entries else None

    def _untyped(self, node: FieldNode, name: str) -> Any:
        """An argument as plain data."""
        given = next((each.value for each in node.arguments or () if each.name.value == name), None)
        defaults = {name: value_from_ast_untyped(each) for name, each in self.defaults.items() if each is not None}
        return value_from_ast_untyped(given, {**defaults, **self.variables}) if given is not None else None

    def _found(self, nodes: list[FieldNode], *, many: bool) -> int:
        """`node` and `nodes`: rows of any kind."""
        depth = 1 if many else 0
        each = depth + sum(self._row(nodes, kind, depth) for kind in self.prices.rows.values())
        given = self._untyped(nodes[0], "ids" if many else "id")
        if not many:
            self.sought.append(str(given))
            return each
        identifiers = given if isinstance(given, list) else [given]
        self.sought.append([str(identifier) for identifier in identifiers])
        return each * len(identifiers)

    def _page(self, nodes: list[FieldNode], connection: GraphQLNamedType, depth: int) -> int:
        kind = self.prices.connections[connection.name]
        each, counted = depth, False
        for inner in self._below(nodes, connection).values():
            name = inner[0].name.value
            counted = counted or name == "totalCount"
            if name == "nodes":
                each += self._row(inner, kind, depth)
            elif name == "edges":
                edges = self._below(inner, self.prices.schema.get_type(f"{kind.name}Edge"))
                each += sum(self._row(edge, kind, depth) for edge in edges.values() if edge[0].name.value == "node")
        return self._limit(nodes[0]) * each + (COUNTED_ROWS * depth if counted else 0)

    def _row(self, nodes: list[FieldNode], kind: GraphQLNamedType, depth: int) -> int:
        """Points of each row of a kind for what is asked for below it."""
        points = 0
        for inner in self._below(nodes, kind).values():
            target = self._target(kind, inner[0])
            if target is None:
                continue
            if target.name in self.prices.connections:
                self.resources[self.prices.resources[self.prices.connections[target.name].name]] = None
                points += self._page(inner, target, depth + 1)
            elif target.name in self.prices.rows:
                self.resources[self.prices.resources[target.name]] = None
                points += hop_points(depth) + self._row(inner, target, depth)
        return points

    def _target(self, kind: GraphQLNamedType, node: FieldNode) -> GraphQLNamedType | None:
        definition = kind.fields.get(node.name.value) if is_object_type(kind) else None
        return get_named_type(definition.type) if definition is not None and node.selection_set is not None else None

    def _below(self, nodes: list[FieldNode], kind: GraphQLNamedType | None) -> Fields:
        if not is_object_type(kind):
            return {}
        return self._counted(self.collector.below(nodes, frozenset({kind.name, *(i.name for i in kind.interfaces)})))

    def _counted(self, fields: Fields) -> Fields:
        if self.collector.visited > MAX_VISITED:
            raise NotCompiledError("too large")
        return fields

    def _limit(self, node: FieldNode) -> int:
        limits, given = self.prices.limits, (integral(self._argument(node, name)) for name in PAGE_SIZES)
        sizes = [value for value in given if isinstance(value, int)]
        return min(max(1, *sizes), limits.page_size) if sizes else limits.usual_page

    def _argument(self, node: FieldNode, name: str) -> Any:
        return next((self._plain(each.value) for each in node.arguments or () if each.name.value == name), None)

    def _plain(self, node: Any) -> Any:
        if isinstance(node, VariableNode):
            return self._value(node.name.value)
        if isinstance(node, IntValueNode):
            return int(node.value)
        if isinstance(node, BooleanValueNode):
            return node.value
        return None if isinstance(node, NullValueNode) else node

    def _value(self, name: str) -> Any:
        if name in self.variables:
            return self.variables[name]
        default = self.defaults.get(name)
        return None if default is None else self._plain(default)
