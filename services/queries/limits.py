"""How much one request may ask for: every bound that an operator can set, in one place.

The composition root makes one `Limits` of the settings and hands it to both faces and the Gateway; docs/limits.md has
them all, with the Problem that each ends in. What bounds the memory of the process itself (what is remembered, how many
connections) stays a constant where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.catalogue.batches import MAX_ENTRIES
from services.catalogue.problems import BAD_REQUEST, TOO_COMPLEX, URI_TOO_LONG, Problem

MAX_ROWS: Final = 20_000
"""Rows of one answer that nobody can allow more than: they are held in memory, and written as one body."""
USUAL_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one gateway; the defaults are those of the settings."""

    # Of lists, on both faces.
    page_size: int = 100
    rows: int = MAX_ROWS
    """Rows that one answer may have to hold, were every list in it full."""
    skip: int = 10_000
    filter_conditions: int = 50
    filter_depth: int = 5
    filter_values: int = 100
    """Entries of one `in` or `not in`."""

    # Of bodies, on both faces.
    batch_entries: int = MAX_ENTRIES
    """Entries of one batch; nobody can allow more, since all are written in one transaction."""
    body_values: int = 30_000
    """Values in a JSON body. An empty list is two bytes there, and 64 in memory."""

    # Of addresses, and of what REST includes.
    query_string_bytes: int = 65_536
    parameters: int = 1_000
    includes: int = 20
    include_depth: int = 3

    # Of documents.
    document_characters: int = 120_000
    """Comments aside."""
    tokens: int = 2_000
    depth: int = 30
    """Fields within fields, through fragments. (Values nest as deep as graphql-core parses: 200.)"""
    aliases: int = 200
    directives: int = 100
    directives_per_place: int = 8
    fragments: int = 100
    operations: int = 50
    field_comparisons: int = 25_000
    """What the rule that fields of one name must agree may take, in graphql-core's units."""
    query_fields: int = 50
    """Fields at the top of a query, through fragments; `mutation_fields` of a mutation."""
    mutation_fields: int = 20
    introspection: bool = True
    introspections: int = 2
    """How often over a document may ask for as much as a full introspection tells."""

    # Of the values that come with a document.
    nodes: int = 100
    variables_bytes: int = 1_048_576
    variables_depth: int = 50
    input_objects: int = 2_000

    @property
    def usual_page(self) -> int:
        """The size of a page where none is asked for."""
        return min(USUAL_PAGE, self.page_size)


DEFAULTS: Final = Limits()


def check_values(text: bytes, limits: Limits, what: str = "The body") -> None:
    """Raises `bad_request` for JSON of too many values, before it is parsed; `what` begins the sentence that says so.

    Commas and opening brackets are counted, wherever they stand: in texts too, of which no honest one has that many.
    """
    most = limits.body_values
    # Two bytes are the least that a value takes.
    if len(text) > most and text.count(b",") + text.count(b"[") + text.count(b"{") > most:
        raise Problem(BAD_REQUEST, f"{what} may hold at most {most:,} values (commas and opening brackets).")


def check_query_string(text: bytes, limits: Limits) -> None:
    """Raises `uri_too_long` and `too_complex` for a query string that is not even taken apart."""
    if len(text) > limits.query_string_bytes:
        raise Problem(URI_TOO_LONG, f"A query string has at most {limits.query_string_bytes:,} bytes.")
    if text.count(b"&") >= limits.parameters:
        raise Problem(TOO_COMPLEX, f"A query string has at most {limits.parameters:,} parameters.")
