"""Links from responses to possible next operations (OpenAPI 3.1, Link Object): from a row to the operations on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.routes import RestRoute
from services.catalogue import Kind
from services.catalogue.naming import camel


def links_of(route: RestRoute, routes: Sequence[RestRoute]) -> dict[str, Any]:
    """Return the links of a route's success: from a created row or, if none can be, from the first row of a list."""
    operation = route.operation
    if operation is None or operation.resource is None or route.is_search:
        return {}
    operations = [other.operation for other in routes if other.operation is not None and not other.is_search]
    targets = [target for target in operations if target.resource is operation.resource]
    has_create = any(target.kind is Kind.CREATE for target in targets)
    if operation.kind is Kind.CREATE:
        row_id = "$response.body#/id"
    elif operation.kind is Kind.LIST and operation.where is None and not has_create:
        row_id = "$response.body#/data/0/id"
    else:
        return {}
    names = [camel(target.name) for target in targets if target.on_a_row]
    return {name: {"operationId": name, "parameters": {"id": row_id}} for name in names}
