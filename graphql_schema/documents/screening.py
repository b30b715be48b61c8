"""What a document must not have too much of, seen before any rule of validation is run.

Some of graphql-core's rules take more than linear time, and its parser a long time over a long text. So a document is
measured first: its characters before it is parsed, then everything that has a limit, in one walk that goes into each
definition once. What fragments add up to is worked out of the sums of each, however often it is spread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    get_introspection_query,
    parse,
)
from graphql.validation import ValidationContext

from services.catalogue import Problem
from services.catalogue.problems import INVALID_DOCUMENT, TOO_COMPLEX
from services.queries.limits import Limits

MAX_COMMENTS: Final = 20_000
"""In a document that is only short enough without them."""
INTROSPECTION: Final = frozenset({"__schema", "__type"})

# Anything but comments, as far as it can be told without a parser: strings may have a `#` in them.
_BUT_COMMENTS: Final = re.compile(
    r'(?:[^"#]++|"""(?:[^"\\]++|\\"""|\\|"(?!""))*+"""|"(?!"")(?:[^"\\\n\r]++|\\.)*+"|""(?!"))*+'
)
_COMMENT: Final = re.compile(r"#[^\n\r]*+")


def bounded_text(text: str, limits: Limits) -> str:
    """The document, without comments if it is long: they are not counted. Raises `too_complex` if that is too long."""
    most = limits.document_characters
    if len(text) <= most:
        return text
    if text.count("#") <= MAX_COMMENTS:
        text = _without_comments(text)
        if len(text) <= most:
            return text
    raise Problem(TOO_COMPLEX, f"A document has at most {most:,} characters, comments aside.")


def _without_comments(text: str) -> str:
    """What is behind a string without an end stays as it is: the parser will say so."""
    kept, place = [], 0
    while (found := _BUT_COMMENTS.match(text, place)) is not None:
        kept.append(found[0])
        comment = _COMMENT.match(text, found.end())
        if comment is None:
            return "".join(kept) + text[found.end() :]
        place = comment.end()
    return "".join(kept)


def overlapping_rule(limits: Limits) -> type[OverlappingFieldsCanBeMergedRule]:
    """The rule that fields of one name must agree, which compares each with each, with a bound of its own."""

    class BoundedOverlapping(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = limits.field_comparisons

    return BoundedOverlapping


@dataclass(frozen=True, slots=True)
class IntrospectionSizes:
    """How much a schema has to tell of itself: things in each list, by the name of its field, and values as a whole."""

    lists: Mapping[str, float]
    whole: float = 0


def introspection_sizes(schema: GraphQLSchema) -> IntrospectionSizes:
    """Measured once: lists by what they hold on an average, rounded up."""
    types: list[Any] = list(schema.type_map.values())
    fields = [each for kind in types if hasattr(kind, "fields") for each in kind.fields.values()]

    def mean(total: int, of: int) -> int:
        return -(-total // of) if of else 0

    lists = {
        "types": len(types),
        "fields": mean(len(fields), len(types)),
        "inputFields": mean(len(fields), len(types)),
        "args": mean(sum(len(getattr(each, "args", ())) for each in fields), len(fields)),
        "enumValues": mean(sum(len(getattr(each, "values", ())) for each in types), len(types)),
        "possibleTypes": mean(sum(len(getattr(each, "interfaces", ())) for each in types), len(types)),
        "directives": len(schema.directives),
        "ofType": 0.5,  # most types are wrapped once or not at all
    }
    whole = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    screen = _Screen(Limits(), IntrospectionSizes(lists, inf))
    screen.check(parse(whole))
    return IntrospectionSizes(lists, screen.told())


def screen(document: DocumentNode, limits: Limits, sizes: IntrospectionSizes) -> None:
    """Measure a document. `sizes`: those of the schema.

    Raises `too_complex`, and `invalid_document` for fragments in a circle and for introspection that is switched off.
    """
    _Screen(limits, sizes).check(document)


@dataclass(slots=True)
class _Sum:
    """Of one definition: how deep its fields are, and at what depth which fragments are spread."""

    depth: int = 0
    spreads: list[tuple[str, int]] = field(default_factory=list)


class _Screen:
    def __init__(self, limits: Limits, sizes: IntrospectionSizes) -> None:
        self.limits, self.sizes = limits, sizes
        self.aliases = self.directives = 0
        self.asked: list[FieldNode] = []
        """The fields that ask about the schema."""
        self.fragments: dict[str, FragmentDefinitionNode] = {}
        self._sums: dict[str, _Sum] = {}
        self._depths: dict[str, int] = {}
        self._values: dict[str, float] = {}

    def check(self, document: DocumentNode) -> None:
        """Raises the Problem of the first limit exceeded."""
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        fragments = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
        self._most(len(operations), self.limits.operations, "operations")
        self._most(len(fragments), self.limits.fragments, "fragments")
        self.fragments = {each.name.value: each for each in fragments}
        self._sums = {name: self._measured(each) for name, each in self.fragments.items()}
        tops = [self._measured(each) for each in operations]
        for name in self._sums:
            self._settle(name)
        for top in tops:
            self._deep(top)
        if self.asked:
            self._introspection()

    def _most(self, found: int, most: int, what: str) -> None:
        if found > most:
            raise Problem(TOO_COMPLEX, f"A document has at most {most:,} {what}.")

    def _measured(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Sum:
        found = _Sum()
        self._place(definition.directives)
        for variable in getattr(definition, "variable_definitions", None) or ():
            self._place(variable.directives)
        self._selections(definition.selection_set, 1, found)
        return found

    def _selections(self, selected: SelectionSetNode, depth: int, found: _Sum) -> None:
        for node in selected.selections:
            self._place(node.directives)
            if isinstance(node, FragmentSpreadNode):
                found.spreads.append((node.name.value, depth - 1))
                continue
            if isinstance(node, FieldNode):
                self._field(node, depth, found)
            inner: SelectionSetNode | None = getattr(node, "selection_set", None)
            if inner is not None:
                self._selections(inner, depth + isinstance(node, FieldNode), found)

    def _field(self, node: FieldNode, depth: int, found: _Sum) -> None:
        found.depth = max(found.depth, depth)
        if depth > self.limits.depth:
            self._too_deep()
        if node.alias is not None:
            self.aliases += 1
            self._most(self.aliases, self.limits.aliases, "aliases")
        if node.name.value in INTROSPECTION:
            self.asked.append(node)

    def _place(self, directives: Sequence[DirectiveNode] | None) -> None:
        """What may have directives."""
        if not directives:
            return
        self.directives += len(directives)
        self._most(self.directives, self.limits.directives, "directives")
        most = self.limits.directives_per_place
        if len(directives) > most:
            raise Problem(TOO_COMPLEX, f"One place has at most {most} directives.")

    def _settle(self, name: str) -> None:
        """How deep a fragment is, with those that it spreads. Raises `invalid_document` for a circle."""
        path, waiting = [name], [iter(self._sums[name].spreads)]
        while path:
            spread = next((each for each, _ in waiting[-1] if each in self._sums and each not in self._depths), None)
            if spread is None:
                waiting.pop()
                done = path.pop()
                self._depths[done] = self._deep(self._sums[done])
            elif spread in path:
                raise Problem(INVALID_DOCUMENT, f"The fragment '{spread[:50]}' is spread within itself.")
            else:
                path.append(spread)
                waiting.append(iter(self._sums[spread].spreads))

    def _deep(self, found: _Sum) -> int:
        """How deep a definition is, where that of its fragments is known."""
        depth = max([found.depth, *(above + self._depths.get(name, 0) for name, above in found.spreads)])
        if depth > self.limits.depth:
            self._too_deep()
        return depth

    def _too_deep(self) -> None:
        raise Problem(TOO_COMPLEX, f"Fields nest at most {self.limits.depth} deep.")

    def _introspection(self) -> None:
        if not self.limits.introspection:
            raise Problem(INVALID_DOCUMENT, "Introspection is switched off here: the schema is told by other means.")
        most = self.limits.introspections
        if self.told() > most * self.sizes.whole:
            raise Problem(TOO_COMPLEX, f"A document may ask for as much as {most} full introspections tell.")

    def told(self) -> float:
        """The values that introspection would tell, about."""
        return sum(self._told(each) for each in self.asked)

    def _told(self, node: FieldNode) -> float:
        """The values that introspection would tell of a field."""
        below = self._told_below(node.selection_set) if node.selection_set is not None else 0
        return self.sizes.lists.get(node.name.value, 1) * (1 + below)

    def _told_below(self, selected: SelectionSetNode) -> float:
        told = 0.0
        for node in selected.selections:
            if isinstance(node, FieldNode):
                told += self._told(node)
            elif isinstance(node, FragmentSpreadNode):
                told += self._told_of(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                told += self._told_below(node.selection_set)
        return told

    def _told_of(self, name: str) -> float:
        if name not in self._values:
            fragment = self.fragments.get(name)
            self._values[name] = self._told_below(fragment.selection_set) if fragment is not None else 0
        return self._values[name]
