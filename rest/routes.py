"""Which operation answers which method at which path: the one convention, used by the router and by OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from services.catalogue import Catalogue, Kind, Operation, Relation
from services.catalogue.resources import Resource

METHODS = {
    Kind.LIST: "GET",
    Kind.GET: "GET",
    Kind.CREATE: "POST",
    Kind.UPDATE: "PATCH",
    Kind.DELETE: "DELETE",
    Kind.ACTION: "POST",
    Kind.BATCH: "POST",
    Kind.PROCEDURE: "POST",
}


@dataclass(frozen=True, slots=True)
class RestRoute:
    """An operation, or a to-many relation of one row, at its method and path (below the API's prefix)."""

    method: str
    path: str
    operation: Operation | None = None
    relation: Relation | None = None
    is_search: bool = False
    """Whether the arguments of a list come as a JSON body."""
    weight: int = 1
    """The operation's cost; below one row, that of getting the row."""

    @property
    def resource(self) -> Resource[Any] | None:
        """The resource whose rows it answers with."""
        if self.relation is not None:
            return self.relation.target
        if self.is_batch:
            return self.operation.resource if self.operation is not None else None
        result = self.operation.result if self.operation is not None else None
        return result if isinstance(result, Resource) else None

    @property
    def shows_selection(self) -> bool:
        """Whether the caller can choose fields and relations; not where nobody is signed in."""
        return self.resource is not None and (self.operation is None or self.operation.scope is not None)

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.operation is not None and not self.operation.is_read

    @property
    def is_list(self) -> bool:
        """Whether it answers with a page."""
        return self.relation is not None or (self.operation is not None and self.operation.kind is Kind.LIST)

    @property
    def is_batch(self) -> bool:
        """Whether it answers with an outcome for each entry."""
        return self.operation is not None and self.operation.kind is Kind.BATCH

    @property
    def status(self) -> int:
        """The status of success."""
        if self.operation is None or self.operation.is_read:
            return 200
        if self.operation.kind is Kind.CREATE:
            return 201
        return 200 if self.operation.result is not None or self.is_batch else 204


def rest_routes(catalogue: Catalogue) -> Iterator[RestRoute]:
    """Every derived route, fixed paths before those with a parameter."""
    found = [
        RestRoute(METHODS[o.kind], f"/{o.address}", operation=o, weight=o.cost) for o in catalogue.operations.values()
    ]
    for resource in catalogue.resources.values():
        getter = catalogue.get_of(resource)
        if getter is not None:
            found += [
                RestRoute(
                    "GET",
                    f"/{resource.path}/{{id}}/{relation.name.replace('_', '-')}",
                    relation=relation,
                    weight=getter.cost,
                )
                for relation in resource.relations.values()
                if relation.many
            ]
    taken = {(route.method, route.path) for route in found}
    found += [route for each in found for route in _searches(each) if (route.method, route.path) not in taken]
    yield from sorted(found, key=lambda route: "{id}" in route.path)


def query_of(route: RestRoute) -> RestRoute | None:
    """The route of the method QUERY (RFC 10008) at the path of a list.

    It is not among the others: OpenAPI 3.1 has no word for the method.
    """
    return replace(route, method="QUERY", is_search=True) if route.is_list and route.method == "GET" else None


def _searches(route: RestRoute) -> list[RestRoute]:
    """The search of a list by POST, for clients and proxies that do not know QUERY."""
    return [replace(route, method="POST", path=f"{route.path}/search", is_search=True)] if route.is_list else []
