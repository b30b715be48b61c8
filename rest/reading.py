"""From query strings to queries."""

from __future__ import annotations

from typing import Final

from cachetools import LRUCache

from rest.query import Parameters, parameters, parse_count, parse_list, parse_selection, refuse_rest
from rest.representation import listing
from rest.routes import RestRoute
from services.catalogue import Query, Selection
from services.catalogue.limits import DEFAULTS, Limits
from services.catalogue.selections import Input, ListRoot, Many, RowRoot, Value

REMEMBERED: Final = 500
"""Query strings, and selections, of one route."""
LONGEST: Final = 1_000
"""Bytes of a query string that is worth remembering."""

Parsed = tuple[Query, tuple[Input, ...]]


KEY: Final = "found"
"""The key of the one root of each query, and of the list below a row."""


class Queries:
    """The queries of one route. What was asked for before gives the same query, which is planned already."""

    def __init__(self, route: RestRoute, limits: Limits = DEFAULTS) -> None:
        self._route, self._limits = route, limits
        self._parsed: LRUCache[bytes, Parsed] = LRUCache(REMEMBERED)
        self._queries: LRUCache[tuple[str | None, str | None, bool], Query] = LRUCache(REMEMBERED)

    def parse(self, query_string: bytes) -> Parsed:
        """The query of a query string, and its inputs but for the key in the path, which comes first.

        Raises what `parameters` does, or `validation_failed` naming the parameter at fault.
        """
        found = self._parsed.get(query_string)
        if found is None:
            found = self._parse(parameters(query_string, self._limits))
            if len(query_string) <= LONGEST:
                self._parsed[query_string] = found
        return found

    def _parse(self, given: Parameters) -> Parsed:
        route, resource = self._route, self._route.resource
        assert resource is not None
        if not route.shows_selection:
            refuse_rest(given)
            return self._query((None, None, False), Selection(tuple(Value(f, f) for f in resource.fields)), 1), ()
        asked = given.get("include"), given.get("fields")
        selection, inputs = parse_selection(resource, given, self._limits)
        if not route.is_list:
            refuse_rest(given)
            return self._query((*asked, False), selection, 0), tuple(inputs)
        count, arguments = parse_count(given), parse_list(resource, given, self._limits)
        refuse_rest(given)
        query = self._query((*asked, count), selection, 1 + len(inputs))
        return query, (*inputs, arguments) if route.relation is not None else (arguments, *inputs)

    def _query(self, asked: tuple[str | None, str | None, bool], selection: Selection, behind: int) -> Query:
        """`behind`: the slot behind those of the key and the selection."""
        found = self._queries.get(asked)
        if found is None:
            found = Query((_root(self._route, selection, behind, count=asked[2]),))
            if len(asked[0] or "") + len(asked[1] or "") <= LONGEST:
                self._queries[asked] = found
        return found


def _root(route: RestRoute, selection: Selection, behind: int, *, count: bool) -> ListRoot | RowRoot:
    operation, resource = route.operation, route.resource
    assert resource is not None
    if route.relation is not None:
        many = Many(KEY, route.relation, behind, listing(selection, count=count))
        return RowRoot(KEY, route.relation.source, None, 0, Selection((many,)))
    assert operation is not None
    if route.is_list:
        return ListRoot(KEY, resource, operation.where, 0, listing(selection, count=count))
    where = operation.where if operation.is_read else None
    return RowRoot(KEY, resource, where, 0 if where is None else None, selection)
