"""Names in other habits than snake_case, for whoever shows the catalogue."""

from __future__ import annotations

import re
from typing import Final

ETAG: Final = "etag"
"""What GraphQL calls a row's tag; fields and relations cannot be called so."""
EXPECTED: Final = "expected_version"
"""What GraphQL calls the tag that a caller expects, beside an operation's input; fields of it cannot be called so."""
EXPECTED_WORDS: Final = (
    f"The `{ETAG}` of the {{}} as it was read, `*` for any; if it has changed since, nothing is done."
)

_ACRONYMS: Final = {"api": "API", "id": "ID", "ids": "IDs", "url": "URL"}


def camel(name: str) -> str:
    """`due_at` as `dueAt`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pascal(name: str) -> str:
    """`due_at` as `DueAt`."""
    return "".join(word.capitalize() for word in name.split("_"))


def words(name: str) -> str:
    """`api_key` as `API key`."""
    return " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))


def sentence(name: str) -> str:
    """`due_at` as `Due at.`, what there is to say of it if nobody has said more."""
    found = words(name)
    return f"{found[:1].upper()}{found[1:]}."


def snake(name: str) -> str:
    """`DueAt` as `due_at`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
