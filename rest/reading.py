"""From query strings, and searches in JSON, to queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from rest.query import Parameters, parameters, parse_count, parse_list, parse_selection, refuse_unknown
from rest.representation import Representation, linked_listing, page_of, row_of, tagged
from rest.routes import RestRoute
from rest.searching import parse_search
from services.catalogue import Problem
from services.catalogue.problems import NOT_FOUND
from services.engine.batching import ROWS
from services.queries.limits import DEFAULTS, Limits
from services.queries.lists import ListArguments
from services.queries.selections import Input, ListRoot, Many, NodesRoot, Query, RowRoot, Selection
from services.reader.reader import Answer

REMEMBERED: Final = 500
"""Query strings, and selections, of one route."""
LONGEST: Final = 1_000
"""Bytes of a query string that is worth remembering."""

NIL: Final = UUID(int=0)
"""Stands for a key where none is needed, or none is known yet."""
_FOUND: Final = "found"
"""The name of the one root of each query, and of the list below a row."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a request asks for: a query, the arguments of its list if it is one, and those of the lists included."""

    query: Query
    included: tuple[Input, ...] = ()
    arguments: ListArguments | None = None

    def inputs(self, key: UUID | None) -> tuple[Input, ...]:
        """The inputs of the query, where it is about a row with this key."""
        if self.arguments is None:
            return (NIL if key is None else key, *self.included)
        return (self.arguments, *self.included) if key is None else (key, *self.included, self.arguments)


class Queries:
    """The queries of one route. What was asked for before gives the same query, which is planned already."""

    def __init__(self, route: RestRoute, limits: Limits = DEFAULTS) -> None:
        self._route, self._limits = route, limits
        self._parsed: LRUCache[bytes, Parsed] = LRUCache(REMEMBERED)
        self._queries: LRUCache[tuple[str, str, bool], Query] = LRUCache(REMEMBERED)

    def parse(self, query_string: bytes) -> Parsed:
        """The query of a query string. Raises as `parameters`, or `validation_failed` naming the parameter."""
        found = self._parsed.get(query_string)
        if found is None:
            found = self._parse(parameters(query_string, self._limits))
            if len(query_string) <= LONGEST:
                self._parsed[query_string] = found
        return found

    def search(self, body: bytes) -> Parsed:
        """The query of a search, as of the query string that says the same. Raises as `parse_search` and `parse`."""
        return self._parse(parse_search(body))

    def _parse(self, given: Parameters) -> Parsed:
        resource, is_list = self._route.resource, self._route.is_list
        assert resource is not None
        if not self._route.shows_selection:
            refuse_unknown(given)
        asked = ",".join(given.get("include", ())), ",".join(given.get("fields", ()))
        selection, inputs = parse_selection(resource, given, self._limits)
        count = is_list and parse_count(given)
        arguments = parse_list(resource, given, self._limits) if is_list else None
        refuse_unknown(given)
        return Parsed(self._query((*asked, count), selection, 1 + len(inputs)), tuple(inputs), arguments)

    def _query(self, asked: tuple[str, str, bool], selection: Selection, behind: int) -> Query:
        """`behind`: the slot behind those of the key and the selection."""
        found = self._queries.get(asked)
        if found is None:
            route = self._route
            noted, weight = ("", 0) if route.is_write else (route.called, route.weight)
            found = Query((_root(route, selection, behind, count=asked[2]),), noted=noted, weight=weight)
            if len(asked[0]) + len(asked[1]) <= LONGEST:
                self._queries[asked] = found
        return found


def _root(route: RestRoute, selection: Selection, behind: int, *, count: bool) -> ListRoot | RowRoot | NodesRoot:
    operation, resource = route.operation, route.resource
    assert resource is not None
    if route.is_batch:
        return NodesRoot(ROWS, True, 0, ((resource, tagged(selection)),))
    if route.relation is not None:
        many = Many(_FOUND, route.relation, behind, linked_listing(selection, count=count))
        return RowRoot(_FOUND, route.relation.source, None, 0, Selection((many,)))
    assert operation is not None
    if route.is_list:
        return ListRoot(_FOUND, resource, operation.where, 0, linked_listing(selection, count=count))
    if not operation.is_read:
        return RowRoot(_FOUND, resource, None, 0, tagged(selection))
    return RowRoot(_FOUND, resource, operation.where, 0 if operation.where is None else None, selection)


def shown_of(route: RestRoute, answer: Answer) -> Representation:
    """What is shown of an answer. Raises `not_found` where there is no such row."""
    found = answer[_FOUND]
    if found is not None and route.relation is not None:
        found = found[_FOUND]
    if found is None:
        raise Problem(NOT_FOUND)
    if route.is_write:
        return row_of(found)
    return page_of(found) if route.is_list else Representation(found)
