"""Checks the limits of a document before the validation rules run.

Some of graphql-core's rules take more than linear time, and its parser is slow on long texts. So the characters of a
document are counted before it is parsed, and everything else that has a limit in one walk over the parsed document. The
walk enters each definition once, and totals over fragments are computed from the totals of each fragment, however often
it is spread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from math import inf
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
)
from graphql.validation import ValidationContext

from graphql_schema.schema.fields import operations_of
from services.catalogue import Problem
from services.catalogue.problems import INVALID_DOCUMENT, TOO_COMPLEX
from services.queries.limits import Limits

MAX_COMMENTS: Final = 20_000
"""The most comments that are stripped from a document that is too long with them."""
INTROSPECTION: Final = frozenset({"__schema", "__type"})

# Matches everything up to the next comment, as far as that is possible without a parser: strings may contain a `#`.
_UNTIL_COMMENT: Final = re.compile(
    r'(?:[^"#]++|"""(?:[^"\\]++|\\"""|\\|"(?!""))*+"""|"(?!"")(?:[^"\\\n\r]++|\\.)*+"|""(?!"))*+'
)
_COMMENT: Final = re.compile(r"#[^\n\r]*+")


def bounded_text(text: str, limits: Limits) -> str:
    """Return a document, stripped of its comments if it is too long with them.

    Raises `too_complex` if it is too long without them.
    """
    limit = limits.GRAPHQL_MAX_DOCUMENT_CHARACTERS
    if len(text) <= limit:
        return text
    if text.count("#") <= MAX_COMMENTS:
        text = _without_comments(text)
        if len(text) <= limit:
            return text
    raise Problem(TOO_COMPLEX, f"A document has at most {limit:,} characters, comments aside.")


def _without_comments(text: str) -> str:
    """Strip the comments, up to an unterminated string, if there is one: the parser refuses that."""
    kept, position = [], 0
    while (code := _UNTIL_COMMENT.match(text, position)) is not None:
        kept.append(code[0])
        comment = _COMMENT.match(text, code.end())
        if comment is None:
            return "".join(kept) + text[code.end() :]
        position = comment.end()
    return "".join(kept)


def overlapping_rule(limits: Limits) -> type[OverlappingFieldsCanBeMergedRule]:
    """Return the rule "field selection merging" with the limit's number of comparisons as its budget."""

    class BoundedOverlapping(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = limits.GRAPHQL_MAX_FIELD_COMPARISONS

    return BoundedOverlapping


@dataclass(frozen=True, slots=True)
class IntrospectionSizes:
    """The average length of each list of introspection, by its field, and the values of a full introspection."""

    lists: Mapping[str, float]
    whole: float = 0


def introspection_sizes(schema: GraphQLSchema) -> IntrospectionSizes:
    """Measure a schema. Averages are rounded up."""
    types: list[Any] = list(schema.type_map.values())
    fields = [member for kind in types if hasattr(kind, "fields") for member in kind.fields.values()]

    def mean(total: int, count: int) -> int:
        return -(-total // count) if count else 0

    lists = {
        "types": len(types),
        "fields": mean(len(fields), len(types)),
        "inputFields": mean(len(fields), len(types)),
        "args": mean(sum(len(getattr(member, "args", ())) for member in fields), len(fields)),
        "enumValues": mean(sum(len(getattr(kind, "values", ())) for kind in types), len(types)),
        "possibleTypes": mean(sum(len(getattr(kind, "interfaces", ())) for kind in types), len(types)),
        "directives": len(schema.directives),
        "ofType": 0.5,  # most types are wrapped once or not at all
    }
    full_query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    screen = Screen(Limits(), IntrospectionSizes(lists, inf))
    screen.check(parse(full_query))
    return IntrospectionSizes(lists, screen.introspected_values())


@dataclass(slots=True)
class _Nesting:
    """The depth of a definition's own fields, and the fragments that it spreads, with the depths they are spread at."""

    depth: int = 0
    spreads: list[tuple[str, int]] = field(default_factory=list)


class Screen:
    """Checks the limits of one parsed document. `sizes` are those of the schema."""

    def __init__(self, limits: Limits, sizes: IntrospectionSizes) -> None:
        self._limits, self._sizes = limits, sizes
        self._aliases = self._directives = 0
        self._introspections: list[FieldNode] = []
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._nestings: dict[str, _Nesting] = {}
        self._depths: dict[str, int] = {}
        self._values: dict[str, float] = {}

    def check(self, document: DocumentNode) -> None:
        """Raise `too_complex` for a limit that is exceeded.

        Raises `invalid_document` for circular fragments and for introspection that is switched off.
        """
        operations = operations_of(document)
        fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
        _check_count(len(operations), self._limits.GRAPHQL_MAX_OPERATIONS, "operations")
        _check_count(len(fragments), self._limits.GRAPHQL_MAX_FRAGMENTS, "fragments")
        self._fragments = {fragment.name.value: fragment for fragment in fragments}
        self._nestings = {name: self._nesting(fragment) for name, fragment in self._fragments.items()}
        nestings = [self._nesting(operation) for operation in operations]
        self._resolve_depths()
        for nesting in nestings:
            self._total_depth(nesting)
        if self._introspections:
            self._check_introspection()

    def _nesting(self, definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Nesting:
        nesting = _Nesting()
        self._count_directives(definition.directives)
        for variable in getattr(definition, "variable_definitions", None) or ():
            self._count_directives(variable.directives)
        self._selections(definition.selection_set, 1, nesting)
        return nesting

    def _selections(self, selection_set: SelectionSetNode, depth: int, nesting: _Nesting) -> None:
        for node in selection_set.selections:
            self._count_directives(node.directives)
            if isinstance(node, FragmentSpreadNode):
                nesting.spreads.append((node.name.value, depth - 1))
                continue
            if isinstance(node, FieldNode):
                self._field(node, depth, nesting)
            inner: SelectionSetNode | None = getattr(node, "selection_set", None)
            if inner is not None:
                self._selections(inner, depth + isinstance(node, FieldNode), nesting)

    def _field(self, node: FieldNode, depth: int, nesting: _Nesting) -> None:
        nesting.depth = max(nesting.depth, depth)
        self._check_depth(depth)
        if node.alias is not None:
            self._aliases += 1
            _check_count(self._aliases, self._limits.GRAPHQL_MAX_ALIASES, "aliases")
        if node.name.value in INTROSPECTION:
            self._introspections.append(node)

    def _count_directives(self, directives: Sequence[DirectiveNode] | None) -> None:
        if not directives:
            return
        self._directives += len(directives)
        _check_count(self._directives, self._limits.GRAPHQL_MAX_DIRECTIVES, "directives")
        limit = self._limits.GRAPHQL_MAX_DIRECTIVES_PER_PLACE
        if len(directives) > limit:
            raise Problem(TOO_COMPLEX, f"One place has at most {limit} directives.")

    def _resolve_depths(self) -> None:
        """Compute the total depth of each fragment, the innermost first. Raises `invalid_document` for a circle."""
        spreads = {name: [inner for inner, _ in nesting.spreads] for name, nesting in self._nestings.items()}
        try:
            innermost_first = list(TopologicalSorter(spreads).static_order())
        except CycleError as error:
            name = error.args[1][0]
            raise Problem(INVALID_DOCUMENT, f"The fragment '{name[:50]}' is spread within itself.") from None
        for name in innermost_first:
            if name in self._nestings:
                self._depths[name] = self._total_depth(self._nestings[name])

    def _total_depth(self, nesting: _Nesting) -> int:
        """Return the depth of a definition with its fragments, whose total depths must be known."""
        depth = max([nesting.depth, *(above + self._depths.get(name, 0) for name, above in nesting.spreads)])
        self._check_depth(depth)
        return depth

    def _check_depth(self, depth: int) -> None:
        if depth > self._limits.GRAPHQL_MAX_DEPTH:
            raise Problem(TOO_COMPLEX, f"Fields nest at most {self._limits.GRAPHQL_MAX_DEPTH} deep.")

    def _check_introspection(self) -> None:
        if not self._limits.GRAPHQL_INTROSPECTION:
            raise Problem(INVALID_DOCUMENT, "Introspection is switched off here.")
        limit = self._limits.GRAPHQL_MAX_INTROSPECTIONS
        if self.introspected_values() > limit * self._sizes.whole:
            raise Problem(TOO_COMPLEX, f"A document may introspect at most as much as {limit} full introspections.")

    def introspected_values(self) -> float:
        """Estimate how many values the document's introspection returns."""
        return sum(self._values_of(node) for node in self._introspections)

    def _values_of(self, node: SelectionNode) -> float:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in self._values:
                self._values[name] = self._values_below(self._fragments.get(name))
            return self._values[name]
        below = self._values_below(node)
        return self._sizes.lists.get(node.name.value, 1) * (1 + below) if isinstance(node, FieldNode) else below

    def _values_below(self, node: Any) -> float:
        selection_set: SelectionSetNode | None = getattr(node, "selection_set", None)
        return sum(self._values_of(selection) for selection in selection_set.selections) if selection_set else 0


def _check_count(count: int, limit: int, noun: str) -> None:
    if count > limit:
        raise Problem(TOO_COMPLEX, f"A document has at most {limit:,} {noun}.")
