"""Documents: parsed and validated once, remembered while they are small."""

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

from graphql_schema.documents.screening import bounded_text, introspection_sizes, overlapping_rule, screen
from services.catalogue import Problem
from services.catalogue.problems import INVALID_DOCUMENT, TOO_COMPLEX
from services.queries.limits import DEFAULTS, Limits

MAX_TOKENS: Final = DEFAULTS.tokens
MAX_ERRORS: Final = 10
REMEMBERED: Final = 256_000
"""Characters of all documents remembered. A parsed document takes some 200 times its text."""


class NonEmptySelectionsRule(ASTValidationRule):
    """Braces select at least one field (specification, 2.8), which graphql-core's parser does not insist on."""

    def enter_selection_set(self, node: SelectionSetNode, *_: Any) -> None:
        """Look into one pair of braces."""
        if not node.selections:
            self.report_error(GraphQLError("A selection must have at least one field.", node))


def _structure(limits: Limits) -> list[Any]:
    """The rules about a document's structure, of which those about its values are kept apart."""
    replaced = (ValuesOfCorrectTypeRule, OverlappingFieldsCanBeMergedRule)
    others = [rule for rule in specified_rules if rule not in replaced]
    return [NonEmptySelectionsRule, *others, overlapping_rule(limits)]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document and what is wrong with it: with its structure, or with the values written in it."""

    document: DocumentNode | None
    size: int
    structure: tuple[GraphQLError, ...] = ()
    values: tuple[GraphQLError, ...] = ()

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises `invalid_document` when the name does not choose exactly one."""
        assert self.document is not None
        found = [each for each in self.document.definitions if isinstance(each, OperationDefinitionNode)]
        if name is not None:
            found = [each for each in found if each.name is not None and each.name.value == name]
        if len(found) != 1:
            which = "no operation has this name" if name is not None else "name one of its operations"
            raise Problem(INVALID_DOCUMENT, f"`operationName` must choose an operation of the document: {which}.")
        return found[0]


class Documents:
    """Prepares documents for one schema."""

    def __init__(self, schema: GraphQLSchema, *, suggestions: bool, limits: Limits = DEFAULTS) -> None:
        self._schema, self._suggestions, self._limits = schema, suggestions, limits
        self._structure, self._sizes = _structure(limits), introspection_sizes(schema)
        self._remembered: LRUCache[str, Prepared] = LRUCache(REMEMBERED, getsizeof=lambda each: each.size)
        # What is not valid is looked at twice: on the way to a plan, and to say what is wrong with it.
        self._refused: tuple[str, Prepared] | None = None

    def prepare(self, text: str) -> Prepared:
        """Parse and validate a document. What is not valid is not remembered.

        Raises `too_complex` for a document that is too large in any way, and `invalid_document` where introspection is
        not allowed.
        """
        found = self._remembered.get(text)
        if found is not None:
            return found
        refused, self._refused = self._refused, None
        if refused is not None and refused[0] is text:
            return refused[1]
        found = self._prepare(text)
        if found.structure or found.values:
            self._refused = text, found
        elif found.size <= REMEMBERED:
            self._remembered[text] = found
        return found

    def _prepare(self, text: str) -> Prepared:
        # From the cheapest to the dearest: characters, tokens, one walk, the rules.
        try:
            document = parse(bounded_text(text, self._limits), max_tokens=self._limits.tokens)
        except GraphQLError as error:
            return Prepared(None, len(text), structure=(error,))
        screen(document, self._limits, self._sizes)
        structure = self._validate(document, self._structure)
        values = () if structure else self._validate(document, [ValuesOfCorrectTypeRule])
        return Prepared(document, len(text), structure, values)

    def _validate(self, document: DocumentNode, rules: Any) -> tuple[GraphQLError, ...]:
        found = validate(self._schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not self._suggestions)
        if len(found) == 1 and isinstance(found[0], ValidationAbortedError):
            most = self._limits.field_comparisons
            raise Problem(TOO_COMPLEX, f"Fields of one name come together more often than {most:,} comparisons allow.")
        return tuple(found)
