"""Maps operations to methods and paths, for the router and for OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from starlette.requests import Request

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
    """The method and path (below the API's prefix) of an operation, or of a to-many relation of one row."""

    method: str
    path: str
    operation: Operation | None = None
    relation: Relation | None = None
    is_search: bool = False
    """Whether the parameters of a list are sent as a JSON body."""
    weight: int = 1
    """The operation's cost; for a relation, the cost of getting its row."""

    @property
    def called(self) -> str:
        """What the access line calls it."""
        if self.relation is not None:
            return f"list_{self.relation.source.name}_{self.relation.name}"
        return self.operation.name if self.operation is not None else ""

    @property
    def resource(self) -> Resource[Any] | None:
        """The resource of the rows in the answer."""
        if self.relation is not None:
            return self.relation.target
        if self.operation is None:
            return None
        result = self.operation.resource if self.is_batch else self.operation.result
        return result if isinstance(result, Resource) else None

    @property
    def source(self) -> Resource[Any]:
        """The resource of the row in the path."""
        found = self.relation.source if self.relation is not None else self.operation and self.operation.resource
        assert found
        return found

    @property
    def shows_selection(self) -> bool:
        """Whether the caller can select fields and relations. Operations without a scope have a fixed answer."""
        return self.resource is not None and (self.operation is None or self.operation.scope is not None)

    @property
    def is_write(self) -> bool:
        return self.operation is not None and not self.operation.is_read

    @property
    def is_list(self) -> bool:
        """Whether the answer is a page of rows."""
        return self.relation is not None or (self.operation is not None and self.operation.kind is Kind.LIST)

    @property
    def is_batch(self) -> bool:
        """Whether the answer has an outcome for each entry."""
        return self.operation is not None and self.operation.kind is Kind.BATCH

    @property
    def status(self) -> int:
        """The HTTP status of success."""
        if self.operation is None or self.operation.is_read:
            return 200
        if self.operation.kind is Kind.CREATE:
            return 201
        return 200 if self.operation.result is not None or self.is_batch else 204


def rest_routes(catalogue: Catalogue) -> Iterator[RestRoute]:
    """Yield every derived route, fixed paths before those with a parameter."""
    routes = [
        RestRoute(METHODS[operation.kind], f"/{operation.address}", operation=operation, weight=operation.cost)
        for operation in catalogue.operations.values()
    ]
    for resource in catalogue.resources.values():
        getter = catalogue.get_of(resource)
        if getter is None:
            continue
        for relation in resource.relations.values():
            if relation.many:
                path = f"/{resource.path}/{{id}}/{relation.name.replace('_', '-')}"
                routes.append(RestRoute("GET", path, relation=relation, weight=getter.cost))
    taken = {(route.method, route.path) for route in routes}
    # Every list can be searched by POST too, for clients and proxies that do not support QUERY.
    searches = [
        replace(route, method="POST", path=f"{route.path}/search", is_search=True) for route in routes if route.is_list
    ]
    routes += [search for search in searches if (search.method, search.path) not in taken]
    yield from sorted(routes, key=lambda route: "{id}" in route.path)


def location_of(request: Request, prefix: str, resource: Resource[Any], key: UUID) -> str:
    """Return the address of a row, relative to the origin."""
    return f"{request.scope.get('root_path', '')}{prefix}/{resource.path}/{resource.encode(key)}"


def query_of(route: RestRoute) -> RestRoute | None:
    """Return the route of QUERY (RFC 10008) at a list's path, which OpenAPI 3.1 cannot describe; else None."""
    return replace(route, method="QUERY", is_search=True) if route.is_list and route.method == "GET" else None
