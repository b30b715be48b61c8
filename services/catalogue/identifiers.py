"""Public identifiers: a resource's prefix and the hexadecimal digits of its UUIDv7 key, `itm_0198c0de…`.

REST, GraphQL, events and logs use the same string. `Identifier` annotates a model's field: `ItemID = Annotated[UUID,
Identifier("itm")]`. The Python value is the UUID, the JSON value the string.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

EXAMPLE_KEY: Final = UUID("0198c0de" * 4)
"""The key in examples of identifiers. The demo data contains rows with this key, so that examples work as they are."""
PREFIX_PATTERN = re.compile(r"[a-z]{2,8}")
_PATTERN = re.compile(r"([a-z]{2,8})_([0-9a-f]{32})")


def new_key() -> UUID:
    """Return a new UUIDv7 (RFC 9562), which sorts by the time of its creation."""
    return uuid_utils.compat.uuid7()


def split_identifier(text: str) -> tuple[str, UUID] | None:
    """Return the prefix and the key of an identifier of any resource, or None if the text is not an identifier."""
    match = _PATTERN.fullmatch(text)
    return (match[1], UUID(hex=match[2])) if match else None


def text_schema(kind: type, parse: Callable[[str], Any], show: Callable[[Any], str]) -> core_schema.CoreSchema:
    """Return Pydantic's schema of a value that is a string in JSON and an instance of its type in Python."""
    json_schema = core_schema.chain_schema(
        [core_schema.str_schema(strict=True), core_schema.no_info_plain_validator_function(parse)]
    )
    return core_schema.json_or_python_schema(
        json_schema=json_schema,
        python_schema=core_schema.is_instance_schema(kind),
        serialization=core_schema.plain_serializer_function_ser_schema(show, when_used="json"),
    )


@dataclass(frozen=True, slots=True)
class Identifier:
    """Annotation of a UUID field that gives the prefix of its public form."""

    prefix: str

    def encode(self, key: UUID) -> str:
        return f"{self.prefix}_{key.hex}"

    def decode(self, text: str) -> UUID:
        """Return the key in a public identifier. Raises PydanticCustomError (a ValueError) for any other text."""
        parts = split_identifier(text)
        if parts is None or parts[0] != self.prefix:
            raise PydanticCustomError("identifier", f'This is not an identifier of the form "{self.form}".')
        return parts[1]

    @property
    def form(self) -> str:
        return f"{self.prefix}_…"

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": f"^{self.prefix}_[0-9a-f]{{32}}$",
            "examples": [self.encode(EXAMPLE_KEY)],
        }

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return text_schema(UUID, self.decode, self.encode)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.schema)
