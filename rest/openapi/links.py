"""Links from answers to what can be done next (OpenAPI 3.1, Link Object): from a row to the operations on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest.routes import RestRoute
from services.catalogue import Kind
from services.catalogue.naming import camel


def links_of(route: RestRoute, routes: Sequence[RestRoute]) -> dict[str, Any]:
    """The links of a route's success: of a new row, or where none can be made, of the first row of a list."""
    operation = route.operation
    if operation is None or operation.resource is None or route.is_search:
        return {}
    resource = operation.resource
    of_resource = [each.operation for each in routes if each.operation is not None and not each.is_search]
    mine = [each for each in of_resource if each.resource is resource]
    is_made = any(each.kind is Kind.CREATE for each in mine)
    if operation.kind is Kind.CREATE:
        place = "$response.body#/id"
    elif operation.kind is Kind.LIST and operation.where is None and not is_made:
        place = "$response.body#/data/0/id"
    else:
        return {}
    return {
        camel(each.name): {"operationId": camel(each.name), "parameters": {"id": place}}
        for each in mine
        if each.on_a_row
    }
