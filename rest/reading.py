"""From query strings, and searches in JSON, to queries."""

from __future__ import annotations

from typing import Final

from cachetools import LRUCache

from rest.query import Parameters, parameters, parse_count, parse_list, parse_selection, refuse_rest
from rest.representation import linked_listing
from rest.routes import RestRoute
from rest.searching import body_parameters
from services.engine.batching import ROWS
from services.queries.limits import DEFAULTS, Limits
from services.queries.selections import Input, ListRoot, Many, NodesRoot, Query, RowRoot, Selection, Tag, Value

REMEMBERED: Final = 500
"""Query strings, searches, and selections, of one route."""
LONGEST: Final = 1_000
"""Bytes of a query string, or a search, that is worth remembering."""

Parsed = tuple[Query, tuple[Input, ...]]


KEY: Final = "found"
"""The key of the one root of each query, and of the list below a row."""
TAG: Final = "@etag"
"""The key of the version of a row that was written, which goes into a header."""


class Queries:
    """The queries of one route. What was asked for before gives the same query, which is planned already."""

    def __init__(self, route: RestRoute, limits: Limits = DEFAULTS) -> None:
        self._route, self._limits = route, limits
        self._parsed: LRUCache[bytes, Parsed] = LRUCache(REMEMBERED)
        self._searches: LRUCache[bytes, Parsed] = LRUCache(REMEMBERED)
        self._queries: LRUCache[tuple[str, str, bool], Query] = LRUCache(REMEMBERED)

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

    def search(self, body: bytes) -> Parsed:
        """The query of a search in JSON, as of the query string that says the same.

        Raises `bad_request`, or `validation_failed` naming the member at fault.
        """
        found = self._searches.get(body)
        if found is None:
            found = self._parse(body_parameters(body))
            if len(body) <= LONGEST:
                self._searches[body] = found
        return found

    def _parse(self, given: Parameters) -> Parsed:
        route, resource = self._route, self._route.resource
        assert resource is not None
        if not route.shows_selection:
            refuse_rest(given)
            return self._query(("", "", False), Selection(tuple(Value(f, f) for f in resource.fields)), 1), ()
        asked = ",".join(given.get("include", ())), ",".join(given.get("fields", ()))
        selection, inputs = parse_selection(resource, given, self._limits)
        if not route.is_list:
            refuse_rest(given)
            return self._query((*asked, False), selection, 0), tuple(inputs)
        count, arguments = parse_count(given), parse_list(resource, given, self._limits)
        refuse_rest(given)
        query = self._query((*asked, count), selection, 1 + len(inputs))
        return query, (*inputs, arguments) if route.relation is not None else (arguments, *inputs)

    def _query(self, asked: tuple[str, str, bool], selection: Selection, behind: int) -> Query:
        """`behind`: the slot behind those of the key and the selection."""
        found = self._queries.get(asked)
        if found is None:
            found = Query((_root(self._route, selection, behind, count=asked[2]),))
            if len(asked[0]) + len(asked[1]) <= LONGEST:
                self._queries[asked] = found
        return found


def _root(route: RestRoute, selection: Selection, behind: int, *, count: bool) -> ListRoot | RowRoot | NodesRoot:
    operation, resource = route.operation, route.resource
    assert resource is not None
    if route.is_batch:
        return NodesRoot(ROWS, True, 0, ((resource, _tagged(selection)),))
    if route.relation is not None:
        many = Many(KEY, route.relation, behind, linked_listing(selection, count=count))
        return RowRoot(KEY, route.relation.source, None, 0, Selection((many,)))
    assert operation is not None
    if route.is_list:
        return ListRoot(KEY, resource, operation.where, 0, linked_listing(selection, count=count))
    if not operation.is_read:
        return RowRoot(KEY, resource, None, 0, _tagged(selection))
    return RowRoot(KEY, resource, operation.where, 0 if operation.where is None else None, selection)


def _tagged(selection: Selection) -> Selection:
    """With the row's tag, whatever is shown of it: it is for the next write."""
    return Selection((*selection.members, Tag(TAG)))
