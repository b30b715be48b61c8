"""Compares the answers of a walk, hop by hop, with what the caller should find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from graphql_schema.schema.naming import root_field_name
from services.catalogue import Kind, Relation
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from tests.support.factories import key_of
from tests.support.reach.callers import Caller
from tests.support.reach.documents import BELOW, FIRST, Tree, response_key
from tests.support.reach.graph import Hop, Way
from tests.support.reach.pair import Tally
from tests.support.reach.rows import Marked
from tests.support.reach.world import World


class Answers:
    """The answers that one caller gets."""

    def __init__(self, world: World, caller: Caller, tally: Tally, way: str) -> None:
        self.world, self.caller, self.tally, self.way = world, caller, tally, way
        self.resources = {pascal(each.name): each for each in world.catalogue.resources.values()}
        self._lists = {root_field_name(o): o for o in world.catalogue.operations.values() if o.kind is Kind.LIST}

    def check(self, data: Mapping[str, Any] | None, tree: Tree, variables: Mapping[str, Any]) -> None:
        """The answer to a document of the walk."""
        for hop, below in tree.items():
            self._root((data or {}).get(response_key(hop)), hop, below, variables)

    def check_row(self, value: Any, hop: Hop, below: Tree, row: UUID | None) -> None:
        """A row, or null: the one with this key if it can be seen."""
        resource = self.resources[hop.type]
        expected = self.world.visible(self.caller, resource).get(row) if row is not None else None
        self._one(value, hop, below, expected)

    def _root(self, value: Any, hop: Hop, below: Tree, variables: Mapping[str, Any]) -> None:
        if hop.way is Way.PAGE:
            operation = self._lists[hop.field]
            resource = self.resources[hop.type]
            expected = self.world.listed(self.caller, operation) if self.caller.reads(resource.name) else None
            self._page(value, hop, below, expected, FIRST)
        elif hop.way is Way.SEVERAL:
            keys = [key_of(each) for each in variables[f"{hop.type}s"]]
            values = value if isinstance(value, list) else [None] * len(keys)
            for key, each in zip(keys, values, strict=True):
                self.check_row(each, hop, below, key)
        else:
            self.check_row(value, hop, below, key_of(variables[hop.type]) if hop.arguments else self.caller.key)

    def _one(self, value: Any, hop: Hop, below: Tree, expected: Marked | None) -> None:
        self.tally.checked += 1
        found = None if value is None else key_of(value["id"])
        if found != (expected.key if expected else None):
            self._fault(hop, f"shows {found} instead of {expected and expected.key}")
        elif expected is not None:
            self._below(value, hop, below, expected)

    def _below(self, value: Mapping[str, Any], hop: Hop, tree: Tree, row: Marked) -> None:
        resource = self.resources[hop.type]
        for each, further in tree.items():
            relation = _relation(resource, each)
            if relation is None:
                continue
            readable = self.caller.reads(relation.target.name)
            found = self.world.related(self.caller, relation, row.key) if readable else {}
            if relation.many:
                self._page(value[each.field], each, further, found if readable else None, BELOW)
            else:
                self._one(value[each.field], each, further, next(iter(found.values()), None))

    def _page(self, value: Any, hop: Hop, below: Tree, expected: Mapping[UUID, Marked] | None, first: int) -> None:
        self.tally.checked += 1
        if value is None or expected is None:
            if value is not expected:
                self._fault(hop, f"shows {value} where {expected} is expected")
            return
        rows = [each["node"] for each in value["edges"]]
        rows = value["nodes"] if rows and len(rows[0]) == 1 else rows
        keys = [key_of(each["id"]) for each in rows]
        same = [each["id"] for each in value["nodes"]] == [each["node"]["id"] for each in value["edges"]]
        counts = (value["totalCount"], len(keys), value["pageInfo"]["hasNextPage"])
        wanted = (len(expected), min(first, len(expected)), len(expected) > first)
        if not same or counts != wanted or not set(keys) <= set(expected):
            self._fault(hop, f"shows {keys}, {counts} instead of {list(expected)}, {wanted}")
            return
        for key, row in zip(keys, rows, strict=True):
            self._below(row, hop, below, expected[key])

    def _fault(self, hop: Hop, what: str) -> None:
        self.tally.faults.append(f"{self.caller.name}, {self.way}: {hop.field} ({hop.type}) {what}")


def _relation(resource: Resource[Any], hop: Hop) -> Relation | None:
    """The relation of a field; a field written by hand has none, and is only looked through for marks."""
    return next((each for name, each in resource.relations.items() if camel(name) == hop.field), None)
