"""Links from responses to possible next operations (OpenAPI 3.1, Link Object): from a row to the operations on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.routes import RestRoute
from services.catalogue import Kind
from services.catalogue.naming import camel


def links_of(route: RestRoute, routes: Sequence[RestRoute]) -> dict[str, Any]:
    """Return the links of a route's success: from a created row or, if none can be created, from the first row of a
    list.
    """
    operation = route.operation
    if operation is None or operation.resource is None or route.is_search:
        return {}
    resource = operation.resource
    of_resource = [
        candidate.operation for candidate in routes if candidate.operation is not None and not candidate.is_search
    ]
    operations = [candidate for candidate in of_resource if candidate.resource is resource]
    is_made = any(candidate.kind is Kind.CREATE for candidate in operations)
    if operation.kind is Kind.CREATE:
        id_expression = "$response.body#/id"
    elif operation.kind is Kind.LIST and operation.where is None and not is_made:
        id_expression = "$response.body#/data/0/id"
    else:
        return {}
    return {
        camel(candidate.name): {"operationId": camel(candidate.name), "parameters": {"id": id_expression}}
        for candidate in operations
        if candidate.on_a_row
    }
