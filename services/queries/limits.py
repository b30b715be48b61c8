"""Limits on one request, as far as an operator can set them.

The gateway creates one `Limits` from its settings for both faces; docs/limits.md lists them with their Problems. Limits
on the memory of the process itself (caches, connections) are constants where they are used.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, PositiveInt

from services.catalogue.batches import MAX_ENTRIES
from services.catalogue.problems import BAD_REQUEST, TOO_COMPLEX, URI_TOO_LONG, Problem

USUAL_PAGE: Final = 20
MAX_NESTING: Final = 200
"""Levels of values that graphql-core parses at all."""


class Limits(BaseModel, frozen=True):
    """The limits of one gateway, each under the name of its setting."""

    # Of lists, on both faces.
    MAX_PAGE_SIZE: int = Field(default=100, ge=1, le=1_000)
    MAX_ROWS: int = Field(default=20_000, ge=1, le=20_000)
    """Rows that one answer, which is held in memory, could contain if every list in it were full."""
    MAX_SKIP: PositiveInt = 10_000
    MAX_FILTER_CONDITIONS: PositiveInt = 50
    MAX_FILTER_DEPTH: int = Field(default=5, ge=1, le=20)
    MAX_FILTER_VALUES: PositiveInt = 100
    """Entries of one `in` or `not in`."""

    # Of bodies, on both faces.
    MAX_BATCH_ENTRIES: int = Field(default=MAX_ENTRIES, ge=1, le=MAX_ENTRIES)
    """Entries of one batch, which cannot be raised, since all are written in one transaction."""
    MAX_BODY_VALUES: PositiveInt = 30_000
    """Values in a JSON body. An empty list takes two bytes there and 64 in memory."""

    # Of addresses, and of REST's `include`.
    MAX_QUERY_STRING_BYTES: PositiveInt = 65_536
    MAX_PARAMETERS: PositiveInt = 1_000
    MAX_INCLUDES: PositiveInt = 20
    MAX_INCLUDE_DEPTH: int = Field(default=3, ge=1, le=10)

    # Of documents.
    GRAPHQL_MAX_DOCUMENT_CHARACTERS: PositiveInt = 120_000
    """Without comments."""
    GRAPHQL_MAX_TOKENS: PositiveInt = 2_000
    GRAPHQL_MAX_DEPTH: int = Field(default=30, ge=1, le=MAX_NESTING)
    """Fields within fields, through fragments."""
    GRAPHQL_MAX_ALIASES: PositiveInt = 200
    GRAPHQL_MAX_DIRECTIVES: PositiveInt = 100
    GRAPHQL_MAX_DIRECTIVES_PER_PLACE: PositiveInt = 8
    GRAPHQL_MAX_FRAGMENTS: PositiveInt = 100
    GRAPHQL_MAX_OPERATIONS: PositiveInt = 50
    GRAPHQL_MAX_FIELD_COMPARISONS: PositiveInt = 25_000
    """The cost of the rule OverlappingFieldsCanBeMerged, in graphql-core's units."""
    GRAPHQL_MAX_QUERY_FIELDS: PositiveInt = 50
    """Top-level fields of a query, through fragments; the next one is for those of a mutation."""
    GRAPHQL_MAX_MUTATION_FIELDS: PositiveInt = 20
    GRAPHQL_INTROSPECTION: bool = True
    GRAPHQL_MAX_INTROSPECTIONS: PositiveInt = 2
    """The number of full introspections that a document may amount to."""

    # Of the values that come with a document.
    GRAPHQL_MAX_NODES: PositiveInt = 100
    GRAPHQL_MAX_VARIABLES_BYTES: PositiveInt = 1_048_576
    GRAPHQL_MAX_VARIABLES_DEPTH: int = Field(default=50, ge=1, le=MAX_NESTING)
    GRAPHQL_MAX_INPUT_OBJECTS: PositiveInt = 2_000

    @property
    def usual_page(self) -> int:
        return min(USUAL_PAGE, self.MAX_PAGE_SIZE)


DEFAULTS: Final = Limits()
MAX_ROWS: Final = DEFAULTS.MAX_ROWS
"""The highest number of rows that a setting can allow in one answer."""


def check_values(text: bytes, limits: Limits, what: str = "The body") -> None:
    """Raise `bad_request` for JSON of too many values, before it is parsed; `what` is the subject of the message.

    Counts commas and opening brackets, including those in strings, of which genuine texts do not contain that many.
    """
    limit = limits.MAX_BODY_VALUES
    # A value takes at least two bytes.
    if len(text) > limit and text.count(b",") + text.count(b"[") + text.count(b"{") > limit:
        raise Problem(BAD_REQUEST, f"{what} may hold at most {limit:,} values (commas and opening brackets).")


def check_query_string(text: bytes, limits: Limits) -> None:
    """Raise `uri_too_long` or `too_complex` for a query string that is too large to be parsed."""
    if len(text) > limits.MAX_QUERY_STRING_BYTES:
        raise Problem(URI_TOO_LONG, f"A query string has at most {limits.MAX_QUERY_STRING_BYTES:,} bytes.")
    if text.count(b"&") >= limits.MAX_PARAMETERS:
        raise Problem(TOO_COMPLEX, f"A query string has at most {limits.MAX_PARAMETERS:,} parameters.")
