"""Deprecation of operations and fields, declared once for both faces."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from services.catalogue.declaration import DeclarationError, Location

_URI: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")


class Deprecation:
    """Marks an operation (`deprecated=Deprecation(…)`) or a field (`Annotated[str, Deprecation(…)]`) as deprecated.

    `since` is the day of the deprecation and `sunset` the day from which it may be removed (both begin at midnight,
    UTC). `replacement` names the alternative, `link` is a URI of further information. Raises DeclarationError for a
    sunset before `since`, and for a link that a header field cannot carry.
    """

    def __init__(self, *, since: date, sunset: date | None = None, replacement: str = "", link: str = "") -> None:
        self.since, self.sunset, self.replacement, self.link = since, sunset, replacement, link
        if sunset is not None and sunset < since:
            raise DeclarationError(
                Location.of_caller(), "a deprecation ends before it begins.", "Let sunset be after since (RFC 9745)."
            )
        if not _URI.fullmatch(link):
            raise DeclarationError(Location.of_caller(), f'"{link}" is not a URI.', "Encode it as RFC 3986 says.")

    @property
    def reason(self) -> str:
        """The deprecation in sentences, for documentation."""
        parts = [
            f"Deprecated since {self.since.isoformat()}.",
            f"Use {self.replacement} instead." if self.replacement else "",
            f"It may be gone from {self.sunset.isoformat()} on." if self.sunset is not None else "",
            f"See {self.link}" if self.link else "",
        ]
        return " ".join(part for part in parts if part)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "deprecated": True}


def deprecations_of(model: type[BaseModel]) -> dict[str, Deprecation]:
    return {
        name: annotation
        for name, info in model.model_fields.items()
        for annotation in info.metadata
        if isinstance(annotation, Deprecation)
    }
