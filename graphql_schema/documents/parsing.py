"""Parses and validates documents, and remembers the small ones that are valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValuesOfCorrectTypeRule,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError

from graphql_schema.documents.screening import Screen, bounded_text, introspection_sizes, overlapping_rule
from graphql_schema.schema.fields import operations_of
from services.catalogue import Problem
from services.catalogue.problems import INVALID_DOCUMENT, TOO_COMPLEX
from services.queries.limits import DEFAULTS, Limits

MAX_ERRORS: Final = 10
REMEMBERED: Final = 256_000
"""The characters of all remembered documents. A parsed document takes about 200 times the memory of its text."""


class NonEmptySelectionsRule(ASTValidationRule):
    """Refuses an empty selection set (specification, 2.8), which graphql-core's parser accepts."""

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> None:
        if not node.selections:
            self.report_error(GraphQLError("A selection must have at least one field.", node))


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A parsed document with the errors of its structure, or of the literals in it. `size` is in characters."""

    document: DocumentNode | None
    size: int
    structure: tuple[GraphQLError, ...] = ()
    values: tuple[GraphQLError, ...] = ()

    @property
    def errors(self) -> tuple[GraphQLError, ...]:
        """All errors. There are some if `document` is None."""
        return (*self.structure, *self.values)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run. Raises `invalid_document` unless exactly one has the name."""
        assert self.document is not None
        operations = operations_of(self.document)
        if name is not None:
            operations = [node for node in operations if node.name is not None and node.name.value == name]
        if len(operations) != 1:
            reason = "no operation has this name" if name is not None else "name one of its operations"
            raise Problem(INVALID_DOCUMENT, f"`operationName` must choose an operation of the document: {reason}.")
        return operations[0]


class DocumentCache:
    """Prepares documents for one schema."""

    def __init__(self, schema: GraphQLSchema, *, suggestions: bool, limits: Limits = DEFAULTS) -> None:
        self._schema, self._suggestions, self._limits = schema, suggestions, limits
        # The rule for values is run apart from those for the document's structure.
        replaced = (ValuesOfCorrectTypeRule, OverlappingFieldsCanBeMergedRule)
        kept = [rule for rule in specified_rules if rule not in replaced]
        self._rules: list[Any] = [NonEmptySelectionsRule, *kept, overlapping_rule(limits)]
        self._sizes = introspection_sizes(schema)
        self._remembered: LRUCache[str, ParsedDocument] = LRUCache(REMEMBERED, getsizeof=lambda prepared: prepared.size)
        # A document that is not valid is prepared twice in a row: by the planner, then by the general path.
        self._refused: tuple[str, ParsedDocument] | None = None

    def prepare(self, text: str) -> ParsedDocument:
        """Parse and validate a document, and remember it if it is valid.

        Raises `too_complex` for a document that exceeds a limit, and `invalid_document` for circular fragments and for
        introspection that is switched off.
        """
        prepared = self._remembered.get(text)
        if prepared is not None:
            return prepared
        refused, self._refused = self._refused, None
        if refused is not None and refused[0] is text:
            return refused[1]
        prepared = self._prepare(text)
        if prepared.errors:
            self._refused = text, prepared
        elif prepared.size <= REMEMBERED:
            self._remembered[text] = prepared
        return prepared

    def _prepare(self, text: str) -> ParsedDocument:
        # The checks run from the cheapest to the most expensive: characters, tokens, one walk, the rules.
        try:
            document = parse(bounded_text(text, self._limits), max_tokens=self._limits.GRAPHQL_MAX_TOKENS)
        except GraphQLError as error:
            return ParsedDocument(None, len(text), structure=(error,))
        Screen(self._limits, self._sizes).check(document)
        structure = self._validate(document, self._rules)
        values = () if structure else self._validate(document, [ValuesOfCorrectTypeRule])
        return ParsedDocument(document, len(text), structure, values)

    def _validate(self, document: DocumentNode, rules: Any) -> tuple[GraphQLError, ...]:
        errors = validate(self._schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not self._suggestions)
        if len(errors) == 1 and isinstance(errors[0], ValidationAbortedError):
            limit = self._limits.GRAPHQL_MAX_FIELD_COMPARISONS
            raise Problem(TOO_COMPLEX, f"Merging fields of one name takes more than {limit:,} comparisons.")
        return tuple(errors)
