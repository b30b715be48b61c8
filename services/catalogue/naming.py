"""Names in other habits than snake_case, for whoever shows the catalogue."""

from __future__ import annotations

import re


def camel(name: str) -> str:
    """`due_at` as `dueAt`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def pascal(name: str) -> str:
    """`due_at` as `DueAt`."""
    return "".join(word.capitalize() for word in name.split("_"))


def snake(name: str) -> str:
    """`DueAt` as `due_at`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
