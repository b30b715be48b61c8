"""The OpenAPI document as a client reads it: references are followed."""

from __future__ import annotations

from typing import Any


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; anything else is what it is."""
    found: Any = value
    while "$ref" in found:
        place: Any = document
        for step in found["$ref"].removeprefix("#/").split("/"):
            place = place[step.replace("~1", "/").replace("~0", "~")]
        found = place
    return dict(found)
