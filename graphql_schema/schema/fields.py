"""Collects the fields of selections before execution (CollectFields: GraphQL specification, 6.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    visit,
)
from graphql.language import Visitor

Fields = dict[str, list[FieldNode]]
"""Fields by response name. Nodes of one response name are one field, whose selections are merged."""


class Collector:
    """Collects the fields of one document. `conditions` are the values of the variables in @skip and @include."""

    def __init__(self, document: DocumentNode, conditions: Mapping[str, bool]) -> None:
        self._conditions = conditions
        self.fragments = fragments_of(document)

    def below(self, nodes: Iterable[FieldNode | OperationDefinitionNode], *kinds: str) -> Fields:
        """Return the fields selected below fields, of an object whose type and interfaces are `kinds`."""
        fields: Fields = {}
        spread: set[str] = set()
        for node in nodes:
            if node.selection_set is not None:
                self._collect(node.selection_set, kinds, fields, spread)
        return fields

    def _collect(self, selected: SelectionSetNode, kinds: tuple[str, ...], fields: Fields, spread: set[str]) -> None:
        for node in selected.selections:
            if not self._is_included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias is not None else node.name.value
                fields.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or node.type_condition.name.value in kinds:
                    self._collect(node.selection_set, kinds, fields, spread)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self.fragments[name]
                if name not in spread and fragment.type_condition.name.value in kinds:
                    spread.add(name)
                    self._collect(fragment.selection_set, kinds, fields, spread)

    def _is_included(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            # Of the schema's directives only @skip and @include, whose one argument is a Boolean, are for selections.
            (argument,) = directive.arguments or ()
            condition: Any = argument.value
            is_variable = isinstance(condition, VariableNode)
            holds = self._conditions[condition.name.value] if is_variable else condition.value
            if holds is (directive.name.value == "skip"):
                return False
        return True


class NameFinder(Visitor):
    """Collects the names of spread fragments, of variables, and of variables in directives, as they come."""

    def __init__(self, document: DocumentNode) -> None:
        super().__init__()
        self._fragments = fragments_of(document)
        self.spreads: dict[str, None] = {}
        self.variables: dict[str, None] = {}
        self.conditions: dict[str, None] = {}

    def reach(self, *nodes: Node) -> list[Node]:
        """Visit nodes and the fragments that they spread, directly or through others, and return them all."""
        reached, known = list(nodes), set[str]()
        for node in reached:
            visit(node, self)
            reached += [self._fragments[name] for name in self.spreads if name not in known]
            known |= self.spreads.keys()
        return reached

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.spreads[node.name.value] = None

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.variables[node.name.value] = None

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.conditions[argument.value.name.value] = None


def condition_names(document: DocumentNode, operation: OperationDefinitionNode) -> Iterable[str]:
    """Return the names of the variables in @skip and @include of an operation and of its fragments."""
    names = NameFinder(document)
    names.reach(operation)
    return names.conditions


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Return the fragments of a document by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    """Return the operations of a document in order."""
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
