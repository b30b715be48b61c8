"""The names of operations in GraphQL."""

from __future__ import annotations

from collections.abc import Mapping

from services.catalogue import Catalogue, Kind, Operation
from services.catalogue.naming import camel
from services.files.uploading import CREATE, UPLOAD


def root_field_name(operation: Operation) -> str:
    """Return the root field of an operation: a noun for reads (`item`, `items`), else its name (`createItem`)."""
    prefix = {Kind.LIST: "list_", Kind.GET: "get_"}.get(operation.kind, "")
    return camel(operation.name.removeprefix(prefix))


def operations_by_root_field(catalogue: Catalogue) -> Mapping[str, Operation]:
    """Return the operations by root field. `uploadFile`, which has none of its own, calls `create_file` first."""
    operations = {root_field_name(operation): operation for operation in catalogue.operations.values()}
    if CREATE in catalogue.operations:
        operations.setdefault(camel(UPLOAD), catalogue.operations[CREATE])
    return operations
