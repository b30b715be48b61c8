"""Collects the fields of selections before execution (CollectFields: GraphQL specification, 6.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    visit,
)
from graphql.language import Visitor

from services.reader.statement import NotCompiledError

Fields = dict[str, list[FieldNode]]
"""Fields by response name. Nodes of one response name are one field, whose selections are merged."""


class Collector:
    """Collects the fields of one document. `conditions` are the values of the variables in @skip and @include."""

    def __init__(self, document: DocumentNode, conditions: Mapping[str, bool]) -> None:
        self._conditions = conditions
        self.visited = 0
        """The number of selections visited so far."""
        self.fragments = fragments_of(document)

    def below(self, nodes: Iterable[FieldNode], kinds: frozenset[str]) -> Fields:
        """Return the fields selected below a field, of an object whose type and interfaces are `kinds`."""
        return self.of([node.selection_set for node in nodes if node.selection_set is not None], kinds)

    def of(self, selection_sets: Iterable[SelectionSetNode], kinds: frozenset[str]) -> Fields:
        """Return the fields of selection sets. Raises NotCompiledError for other directives than @skip, @include."""
        fields: Fields = {}
        spread: set[str] = set()
        for selection_set in selection_sets:
            self._collect(selection_set, kinds, fields, spread)
        return fields

    def _collect(
        self, selection_set: SelectionSetNode, kinds: frozenset[str], fields: Fields, spread: set[str]
    ) -> None:
        self.visited += len(selection_set.selections)
        for node in selection_set.selections:
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
            name = directive.name.value
            if name not in ("skip", "include"):
                raise NotCompiledError(f"@{name}")
            (argument,) = directive.arguments or ()
            condition = argument.value
            if isinstance(condition, VariableNode):
                holds = self._conditions[condition.name.value]
            else:
                assert isinstance(condition, BooleanValueNode)
                holds = condition.value
            if holds is (name == "skip"):
                return False
        return True


def condition_names(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """Return the names of the variables in @skip and @include of an operation and of its fragments."""
    finder = _Conditions()
    for definition in parts_of(document, operation):
        visit(definition, finder)
    return tuple(finder.names)


def parts_of(
    document: DocumentNode, operation: OperationDefinitionNode
) -> list[OperationDefinitionNode | FragmentDefinitionNode]:
    """Return an operation and the fragments that it spreads, directly or through other fragments."""
    fragments = fragments_of(document)
    definitions: list[OperationDefinitionNode | FragmentDefinitionNode] = [operation]
    spreads, visited = _Spreads(), set[str]()
    visit(operation, spreads)
    while new := spreads.names - visited:
        visited |= new
        for name in sorted(new):
            definitions.append(fragments[name])
            visit(fragments[name], spreads)
    return definitions


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Return the fragments of a document by name."""
    fragments = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {fragment.name.value: fragment for fragment in fragments}


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    """Return the operations of a document in order."""
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


class _Spreads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.names.add(node.name.value)


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names[argument.value.name.value] = None
