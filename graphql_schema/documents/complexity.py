"""How many rows a document could ask for, known before anything is run.

Every list counts as full: a page of `first` or `last` rows, each with what is asked for below it. A fragment is weighed
once, however often it is spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_interface_type,
    is_object_type,
    visit,
)

from services.catalogue import Problem
from services.catalogue.problems import TOO_COMPLEX
from services.catalogue.scalars import integral
from services.queries.limits import DEFAULTS, MAX_ROWS, Limits

PAGE_SIZES: Final = ("first", "last")
_SIZES: Final = (*PAGE_SIZES, "ids")
"""Arguments that say how much is asked for."""

_CONNECTION_PARTS: Final = ("Connection", "Edge")
"""Endings of types whose fields lead to rows that their connection has counted."""


def check_complexity(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any],
    limits: Limits = DEFAULTS,
) -> None:  # fmt: skip
    """Raises `too_complex` when the operation has too many fields at the top, or could ask for too many rows."""
    scale = _Scale(schema, document, operation, variables, limits)
    most = limits.mutation_fields if operation.operation is OperationType.MUTATION else limits.query_fields
    if scale.fields(operation.selection_set) > most:
        raise Problem(TOO_COMPLEX, f"There are at most {most} fields at the top of this operation.")
    root, rows = schema.get_root_type(operation.operation), min(limits.rows, MAX_ROWS)
    if root is not None and scale.rows(operation.selection_set, root) > rows:
        raise Problem(TOO_COMPLEX, f"The lists asked for could hold more than {rows:,} rows.")


def document_rows(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The most rows that the operation could ask for: fields of one name are not merged, no condition is looked at."""
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return _Scale(schema, document, operation, variables).rows(operation.selection_set, root)


def size_variables(operation: OperationDefinitionNode, document: DocumentNode) -> tuple[str, ...]:
    """The variables of an operation that say how much is asked for: those of `first`, `last` and `ids`."""
    finder = _SizeVariables()
    visit(document, finder)
    named = {each.variable.name.value for each in operation.variable_definitions or ()}
    return tuple(name for name in finder.found if name in named)


class _SizeVariables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Note the variable of an argument."""
        if node.name.value in _SIZES:
            value = node.value
            for each in value.values if isinstance(value, ListValueNode) else (value,):
                if isinstance(each, VariableNode):
                    self.found[each.name.value] = None


def _is_row(kind: GraphQLNamedType) -> bool:
    """Whether the type is a resource's; one may well be called `Edge`."""
    return is_object_type(kind) and any(each.name == "Node" for each in kind.interfaces)


class _Scale:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        limits: Limits = DEFAULTS,
    ) -> None:
        self.schema, self.variables, self.limits = schema, variables, limits
        self.defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._rows: dict[str, int] = {}
        self._fields: dict[str, int] = {}

    def rows(self, selected: SelectionSetNode | None, parent: GraphQLNamedType) -> int:
        """The rows that a selection asks for on one object of the type."""
        return sum(self._selection(each, parent) for each in selected.selections) if selected is not None else 0

    def fields(self, selected: SelectionSetNode) -> int:
        """The fields of a selection, fragments included."""
        found = 0
        for each in selected.selections:
            if isinstance(each, FragmentSpreadNode):
                name = each.name.value
                if name not in self._fields:
                    self._fields[name] = self.fields(self.fragments[name].selection_set)
                found += self._fields[name]
            else:
                found += self.fields(each.selection_set) if isinstance(each, InlineFragmentNode) else 1
        return found

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType) -> int:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, InlineFragmentNode):
            kind = self.schema.get_type(node.type_condition.name.value) if node.type_condition else parent
            return self.rows(node.selection_set, kind or parent)
        assert isinstance(node, FragmentSpreadNode)
        name = node.name.value
        if name not in self._rows:
            fragment = self.fragments[name]
            kind = self.schema.get_type(fragment.type_condition.name.value)
            self._rows[name] = self.rows(fragment.selection_set, kind or parent)
        return self._rows[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> int:
        if not (is_object_type(parent) or is_interface_type(parent)):
            return 0
        definition = parent.fields.get(node.name.value)
        if definition is None or node.selection_set is None:
            return 0
        kind = get_named_type(definition.type)
        below = self.rows(node.selection_set, kind)
        if parent.name.endswith(_CONNECTION_PARTS) and not _is_row(parent):
            return below
        return self._many(node, kind) * (1 + below)

    def _many(self, node: FieldNode, kind: GraphQLNamedType) -> int:
        """How many rows the field could have: a page of a connection, the identifiers of `nodes`, otherwise one."""
        given = {each.name.value: each.value for each in node.arguments or ()}
        if kind.name.endswith("Connection") and not _is_row(kind):
            found = [integral(self._value(given.get(each))) for each in PAGE_SIZES]
            sizes = [value for value in found if isinstance(value, int)]
            return min(max(1, *sizes), self.limits.page_size) if sizes else self.limits.usual_page
        if "ids" in given:
            listed = given["ids"]
            value = listed.values if isinstance(listed, ListValueNode) else self._value(listed)
            return len(value) if isinstance(value, (list, tuple)) else 1
        return 1

    def _value(self, node: Any) -> Any:
        if isinstance(node, VariableNode):
            name = node.name.value
            return self.variables[name] if name in self.variables else self._value(self.defaults.get(name))
        return int(node.value) if isinstance(node, IntValueNode) else None
