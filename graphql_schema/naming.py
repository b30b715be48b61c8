"""Names in GraphQL's habit: camelCase members, PascalCase types."""

from __future__ import annotations

import re

from services.catalogue import Kind, Operation


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


def field_name(operation: Operation) -> str:
    """The root field of an operation: the noun for reading (`item`, `items`), the verb for the rest (`createItem`)."""
    prefix = {Kind.LIST: "list_", Kind.GET: "get_"}.get(operation.kind, "")
    return camel(operation.name.removeprefix(prefix))
