"""Smaller documents, for a failure that somebody has to understand.

Hypothesis knows bytes only; whoever knows documents gets a small one sooner: leave out one part after the other, as
long as what remains is valid and still fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
    print_ast,
    validate,
)

from tests.support.generated.documents import Asked

_LISTS: Final = ("definitions", "selections", "arguments", "directives", "fields", "values")
MOST: Final = 600
"""Documents that are tried."""


def shrunk(schema: GraphQLSchema, asked: Asked, fails: Callable[[Asked], bool]) -> Asked:
    """The smallest that is found of a document that fails."""
    left = MOST
    changed = True
    while changed and left > 0:
        changed = False
        for each in _smaller(schema, asked):
            left -= 1
            if fails(each):
                asked, changed = each, True
                break
            if left <= 0:
                break
    return asked


def _smaller(schema: GraphQLSchema, asked: Asked) -> Iterator[Asked]:
    """Valid documents with one part less, those that lack much first."""
    count = sum(1 for _ in _places(parse(asked.query)))
    for number in range(count):
        document = parse(asked.query)
        next(change for index, change in enumerate(_places(document)) if index == number)()
        _tidy(document)
        text = print_ast(document)
        if document.definitions and len(text) < len(print_ast(parse(asked.query))) and not _invalid(schema, text):
            used = _named(document, VariableNode)
            yield replace(asked, query=text, variables={k: v for k, v in asked.variables.items() if k in used})


def _invalid(schema: GraphQLSchema, text: str) -> bool:
    try:
        return bool(validate(schema, parse(text)))
    except Exception:  # noqa: BLE001 - a text that cannot be parsed is no document
        return True


def _places(node: Node) -> Iterator[Callable[[], None]]:
    """Changes of the tree, each of which takes one part away or puts its content in its place."""
    for name in _LISTS:
        entries = getattr(node, name, None)
        if not isinstance(entries, (tuple, list)):
            continue
        for index, each in enumerate(entries):
            # graphql-core takes `{}` for a selection; nobody who reads it would.
            if name != "selections" or len(entries) > 1:
                yield _without(node, name, index)
            if isinstance(each, InlineFragmentNode):
                yield _instead(node, name, index, each.selection_set)
    for each in _children(node):
        yield from _places(each)


def _without(node: Any, name: str, index: int) -> Callable[[], None]:
    def change() -> None:
        entries = list(getattr(node, name))
        del entries[index]
        _put(node, name, entries)

    return change


def _instead(node: Any, name: str, index: int, content: SelectionSetNode) -> Callable[[], None]:
    def change() -> None:
        entries = list(getattr(node, name))
        _put(node, name, (*entries[:index], *content.selections, *entries[index + 1 :]))

    return change


def _children(node: Node) -> Iterator[Node]:
    for name in node.keys:
        value = getattr(node, name, None)
        for each in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(each, Node):
                yield each


def _tidy(document: DocumentNode) -> None:
    """Drop fragments and variables that nobody uses any more."""
    before = -1
    while before != len(document.definitions):
        before = len(document.definitions)
        used = _named(document, FragmentSpreadNode)
        kept = [each for each in document.definitions if not _is_fragment(each) or _name(each) in used]
        _put(document, "definitions", kept)
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            _tidy_variables(document, each)


def _tidy_variables(document: DocumentNode, operation: OperationDefinitionNode) -> None:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    used = _named(operation.selection_set, VariableNode)
    waiting = list(_named(operation.selection_set, FragmentSpreadNode))
    seen = set(waiting)
    while waiting:
        fragment = fragments.get(waiting.pop())
        if fragment is None:
            continue  # taken away while it is still spread: no document that will be asked
        used |= _named(fragment, VariableNode)
        new = _named(fragment, FragmentSpreadNode) - seen
        seen |= new
        waiting += new
    definitions = operation.variable_definitions or ()
    _put(operation, "variable_definitions", (each for each in definitions if each.variable.name.value in used))


def _is_fragment(node: Any) -> bool:
    return isinstance(node, FragmentDefinitionNode)


def _name(node: Any) -> str:
    return str(node.name.value)


def _put(node: Node, name: str, entries: Iterable[Node]) -> None:
    # A tree of one's own may be changed, whatever it thinks of that.
    object.__setattr__(node, name, tuple(entries))


def _named(node: Node, kind: type[Any]) -> set[str]:
    """The names of nodes of a kind below a node."""
    found = {node.name.value} if isinstance(node, kind) else set()
    for each in _children(node):
        found |= _named(each, kind)
    return found
