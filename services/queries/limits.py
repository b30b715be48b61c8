"""Limits on one request, as far as an operator can set them.

The gateway creates one `Limits` from its settings for both faces; docs/limits.md lists them with their Problems. Limits
on the memory of the process itself (caches, connections) are constants where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.catalogue.batches import MAX_ENTRIES
from services.catalogue.problems import BAD_REQUEST, TOO_COMPLEX, URI_TOO_LONG, Problem

MAX_ROWS: Final = 20_000
"""The highest number of rows that a setting can allow in one answer, which is held in memory."""
USUAL_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one gateway; the defaults are those of the settings."""

    # Of lists, on both faces.
    page_size: int = 100
    rows: int = MAX_ROWS
    """Rows that one answer could contain if every list in it were full."""
    skip: int = 10_000
    filter_conditions: int = 50
    filter_depth: int = 5
    filter_values: int = 100
    """Entries of one `in` or `not in`."""

    # Of bodies, on both faces.
    batch_entries: int = MAX_ENTRIES
    """Entries of one batch, which cannot be raised, since all are written in one transaction."""
    body_values: int = 30_000
    """Values in a JSON body. An empty list takes two bytes there and 64 in memory."""

    # Of addresses, and of REST's `include`.
    query_string_bytes: int = 65_536
    parameters: int = 1_000
    includes: int = 20
    include_depth: int = 3

    # Of documents.
    document_characters: int = 120_000
    """Without comments."""
    tokens: int = 2_000
    depth: int = 30
    """Fields within fields, through fragments. (graphql-core limits the nesting of values to 200.)"""
    aliases: int = 200
    directives: int = 100
    directives_per_place: int = 8
    fragments: int = 100
    operations: int = 50
    field_comparisons: int = 25_000
    """The cost of the rule OverlappingFieldsCanBeMerged, in graphql-core's units."""
    query_fields: int = 50
    """Top-level fields of a query, through fragments; `mutation_fields` those of a mutation."""
    mutation_fields: int = 20
    introspection: bool = True
    introspections: int = 2
    """The number of full introspections that a document may amount to."""

    # Of the values that come with a document.
    nodes: int = 100
    variables_bytes: int = 1_048_576
    variables_depth: int = 50
    input_objects: int = 2_000

    @property
    def usual_page(self) -> int:
        return min(USUAL_PAGE, self.page_size)


DEFAULTS: Final = Limits()


def check_values(text: bytes, limits: Limits, what: str = "The body") -> None:
    """Raise `bad_request` for JSON of too many values, before it is parsed; `what` is the subject of the message.

    Counts commas and opening brackets, including those in strings, of which genuine texts do not contain that many.
    """
    limit = limits.body_values
    # A value takes at least two bytes.
    if len(text) > limit and text.count(b",") + text.count(b"[") + text.count(b"{") > limit:
        raise Problem(BAD_REQUEST, f"{what} may hold at most {limit:,} values (commas and opening brackets).")


def check_query_string(text: bytes, limits: Limits) -> None:
    """Raise `uri_too_long` or `too_complex` for a query string that is too large to be parsed."""
    if len(text) > limits.query_string_bytes:
        raise Problem(URI_TOO_LONG, f"A query string has at most {limits.query_string_bytes:,} bytes.")
    if text.count(b"&") >= limits.parameters:
        raise Problem(TOO_COMPLEX, f"A query string has at most {limits.parameters:,} parameters.")
