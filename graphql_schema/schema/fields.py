"""Which fields a selection asks for: GraphQL's CollectFields (specification, 6.3.2), before anything is run."""

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
"""Fields by response name; several nodes of one name are one field, whose selections are merged."""


class Collector:
    """Collects the fields of one document. `conditions` are the values of the variables in @skip and @include."""

    def __init__(self, document: DocumentNode, conditions: Mapping[str, bool]) -> None:
        self._conditions = conditions
        self.visited = 0
        """How many selections were looked at, in all."""
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def below(self, nodes: Iterable[FieldNode], kinds: frozenset[str]) -> Fields:
        """The fields selected below a field, of an object whose type and interfaces are `kinds`."""
        return self.of([each.selection_set for each in nodes if each.selection_set is not None], kinds)

    def of(self, selected: Iterable[SelectionSetNode], kinds: frozenset[str]) -> Fields:
        """The fields of selection sets. Raises NotCompiledError for directives that are not known here."""
        found: Fields = {}
        visited: set[str] = set()
        for each in selected:
            self._collect(each, kinds, found, visited)
        return found

    def _collect(self, selected: SelectionSetNode, kinds: frozenset[str], found: Fields, visited: set[str]) -> None:
        self.visited += len(selected.selections)
        for node in selected.selections:
            if not self._wanted(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias is not None else node.name.value
                found.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or node.type_condition.name.value in kinds:
                    self._collect(node.selection_set, kinds, found, visited)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self.fragments[name]
                if name not in visited and fragment.type_condition.name.value in kinds:
                    visited.add(name)
                    self._collect(fragment.selection_set, kinds, found, visited)

    def _wanted(self, directives: Iterable[DirectiveNode]) -> bool:
        for each in directives:
            name = each.name.value
            if name not in ("skip", "include"):
                raise NotCompiledError(f"@{name}")
            (argument,) = each.arguments or ()
            given = argument.value
            if isinstance(given, VariableNode):
                holds = self._conditions[given.name.value]
            else:
                assert isinstance(given, BooleanValueNode)
                holds = given.value
            if holds is (name == "skip"):
                return False
        return True


def condition_names(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables in @skip and @include of an operation, and of the fragments that it comes to."""
    finder = _Conditions()
    for each in parts_of(document, operation):
        visit(each, finder)
    return tuple(finder.names)


def parts_of(
    document: DocumentNode, operation: OperationDefinitionNode
) -> list[OperationDefinitionNode | FragmentDefinitionNode]:
    """An operation, and the fragments that it comes to."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    found: list[OperationDefinitionNode | FragmentDefinitionNode] = [operation]
    spreads, visited = _Spreads(), set[str]()
    visit(operation, spreads)
    while new := spreads.names - visited:
        visited |= new
        for name in sorted(new):
            found.append(fragments[name])
            visit(fragments[name], spreads)
    return found


class _Spreads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        """Note a fragment."""
        self.names.add(node.name.value)


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """Note the variable of a directive."""
        for each in node.arguments or ():
            if isinstance(each.value, VariableNode):
                self.names[each.value.name.value] = None
