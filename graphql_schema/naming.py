"""How operations are called in GraphQL."""

from __future__ import annotations

from services.catalogue import Kind, Operation
from services.catalogue.naming import camel


def field_name(operation: Operation) -> str:
    """The root field of an operation: the noun for reading (`item`, `items`), the verb for the rest (`createItem`)."""
    prefix = {Kind.LIST: "list_", Kind.GET: "get_"}.get(operation.kind, "")
    return camel(operation.name.removeprefix(prefix))
