"""How operations are called in GraphQL."""

from __future__ import annotations

from collections.abc import Mapping

from services.catalogue import Catalogue, Kind, Operation
from services.catalogue.naming import camel
from services.files.uploading import CREATE, UPLOAD


def field_name(operation: Operation) -> str:
    """The root field of an operation: the noun for reading (`item`, `items`), the verb for the rest (`createItem`)."""
    prefix = {Kind.LIST: "list_", Kind.GET: "get_"}.get(operation.kind, "")
    return camel(operation.name.removeprefix(prefix))


def called_by_field(catalogue: Catalogue) -> Mapping[str, Operation]:
    """The operations by the root fields that call them. To send a file is, first of all, to announce it."""
    found = {field_name(each): each for each in catalogue.operations.values()}
    return {camel(UPLOAD): catalogue.operations[CREATE], **found} if CREATE in catalogue.operations else found
