"""Conversion of snake_case names to the conventions of each face."""

from __future__ import annotations

import re
from typing import Final

ETAG: Final = "etag"
"""The GraphQL field of a row's entity tag. No field or relation can have this name."""
EXPECTED: Final = "expected_version"
"""The GraphQL argument of the expected entity tag, beside an operation's input. No input field can have this name."""
EXPECTED_WORDS: Final = (
    f"The `{ETAG}` of the {{}} as it was read, `*` for any; if it has changed since, nothing is done."
)

NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_ACRONYMS: Final = {"api": "API", "id": "ID", "ids": "IDs", "url": "URL"}


def camel(name: str) -> str:
    """Convert `due_at` to `dueAt`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pascal(name: str) -> str:
    """Convert `due_at` to `DueAt`."""
    return "".join(word.capitalize() for word in name.split("_"))


def words(name: str) -> str:
    """Convert `api_key` to `API key`."""
    return " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))


def sentence(name: str) -> str:
    """Convert `due_at` to `Due at.`, the default description of a field."""
    phrase = words(name)
    return f"{phrase[:1].upper()}{phrase[1:]}."


def snake(name: str) -> str:
    """Convert `DueAt` to `due_at`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
