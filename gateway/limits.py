"""The settings that bound what one request may ask for, and what one caller may have going on."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Final, TypeAlias

from limits import parse_many
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings

from services.queries.limits import DEFAULTS, MAX_ROWS, Limits

MAX_PAGE: Final = 1_000
MAX_NESTING: Final = 200
"""Levels that graphql-core parses at all."""
_PREFIX: Final = re.compile("^(GRAPHQL_)?(MAX_)?")
"""What a setting's name has before that of its limit."""


class LimitSettings(BaseSettings):
    """A part of `gateway.settings.Settings`; docs/limits.md says what happens beyond each limit."""

    MAX_BODY_BYTES: PositiveInt = 1_048_576
    MAX_BODY_VALUES: PositiveInt = DEFAULTS.body_values
    MAX_BATCH_ENTRIES: int = Field(default=DEFAULTS.batch_entries, ge=1, le=DEFAULTS.batch_entries)
    MAX_HEADER_BYTES: PositiveInt = 65_536
    REQUEST_TIMEOUT_SECONDS: PositiveFloat = 25
    MAX_CONCURRENT_REQUESTS: PositiveInt = 100

    MAX_PAGE_SIZE: int = Field(default=DEFAULTS.page_size, ge=1, le=MAX_PAGE)
    MAX_ROWS: int = Field(default=DEFAULTS.rows, ge=1, le=MAX_ROWS)
    MAX_SKIP: PositiveInt = DEFAULTS.skip
    MAX_FILTER_CONDITIONS: PositiveInt = DEFAULTS.filter_conditions
    MAX_FILTER_DEPTH: int = Field(default=DEFAULTS.filter_depth, ge=1, le=20)
    MAX_FILTER_VALUES: PositiveInt = DEFAULTS.filter_values

    MAX_QUERY_STRING_BYTES: PositiveInt = DEFAULTS.query_string_bytes
    MAX_PARAMETERS: PositiveInt = DEFAULTS.parameters
    MAX_INCLUDES: PositiveInt = DEFAULTS.includes
    MAX_INCLUDE_DEPTH: int = Field(default=DEFAULTS.include_depth, ge=1, le=10)

    GRAPHQL_INTROSPECTION: bool = DEFAULTS.introspection
    GRAPHQL_MAX_DOCUMENT_CHARACTERS: PositiveInt = DEFAULTS.document_characters
    GRAPHQL_MAX_TOKENS: PositiveInt = DEFAULTS.tokens
    GRAPHQL_MAX_DEPTH: int = Field(default=DEFAULTS.depth, ge=1, le=MAX_NESTING)
    GRAPHQL_MAX_ALIASES: PositiveInt = DEFAULTS.aliases
    GRAPHQL_MAX_DIRECTIVES: PositiveInt = DEFAULTS.directives
    GRAPHQL_MAX_DIRECTIVES_PER_PLACE: PositiveInt = DEFAULTS.directives_per_place
    GRAPHQL_MAX_FRAGMENTS: PositiveInt = DEFAULTS.fragments
    GRAPHQL_MAX_OPERATIONS: PositiveInt = DEFAULTS.operations
    GRAPHQL_MAX_FIELD_COMPARISONS: PositiveInt = DEFAULTS.field_comparisons
    GRAPHQL_MAX_QUERY_FIELDS: PositiveInt = DEFAULTS.query_fields
    GRAPHQL_MAX_MUTATION_FIELDS: PositiveInt = DEFAULTS.mutation_fields
    GRAPHQL_MAX_INTROSPECTIONS: PositiveInt = DEFAULTS.introspections
    GRAPHQL_MAX_NODES: PositiveInt = DEFAULTS.nodes
    GRAPHQL_MAX_VARIABLES_BYTES: PositiveInt = DEFAULTS.variables_bytes
    GRAPHQL_MAX_VARIABLES_DEPTH: int = Field(default=DEFAULTS.variables_depth, ge=1, le=MAX_NESTING)
    GRAPHQL_MAX_INPUT_OBJECTS: PositiveInt = DEFAULTS.input_objects

    @property
    def limits(self) -> Limits:
        """What both faces and the Gateway are bound by: the setting of each limit has its name."""
        named = {_PREFIX.sub("", name).lower(): name for name in LimitSettings.model_fields}
        return Limits(**{each.name: getattr(self, named[each.name]) for each in fields(Limits)})


def _known_rate(value: str) -> str:
    try:
        parse_many(value)
    except ValueError as error:
        raise ValueError("is not a rate such as '5/hour'") from error
    return value


Rate: TypeAlias = Annotated[str, AfterValidator(_known_rate)]
"""How often something may be done, as the library `limits` reads it."""
