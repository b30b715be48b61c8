"""What REST can be asked to include: paths of relations, packed into as few requests as it takes; and its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from services.catalogue import Relation
from services.catalogue.resources import Resource
from services.queries.limits import DEFAULTS, MAX_ROWS, USUAL_PAGE
from services.reader.statement import MAX_PARTS
from tests.support.factories import key_of
from tests.support.reach.callers import Caller
from tests.support.reach.pair import Tally
from tests.support.reach.rows import Marked
from tests.support.reach.world import World

Includes = dict[str, "Includes"]

LIMIT: Final = 2
"""Rows at the top, so that whole pages can be included three deep."""


def includes(resource: Resource[Any], depth: int, parts: int = MAX_PARTS) -> Iterator[Includes]:
    """Trees of relations, of so many parts at most, which together have every path of this depth."""
    tree = Includes()
    for path in _paths(resource, depth):
        longer = _with(tree, path)
        if tree and not _fits(resource, longer, parts):
            yield tree
            longer = _with({}, path)
        tree = longer
    if tree:
        yield tree


def written(tree: Includes) -> str:
    """The parameter `include` of a tree."""
    return ",".join(_leaves(tree))


def _paths(resource: Resource[Any], depth: int) -> Iterator[tuple[str, ...]]:
    if not depth or not resource.relations:
        yield ()
        return
    for name, relation in resource.relations.items():
        for further in _paths(relation.target, depth - 1):
            yield (name, *further)


def _with(tree: Includes, path: tuple[str, ...]) -> Includes:
    return {**tree, path[0]: _with(tree.get(path[0], {}), path[1:])} if path else tree


def _fits(resource: Resource[Any], tree: Includes, parts: int) -> bool:
    rows = LIMIT * (1 + _rows(resource, tree))
    return len(list(_leaves(tree))) <= DEFAULTS.MAX_INCLUDES and _parts(tree) < parts and rows <= MAX_ROWS


def _parts(tree: Includes) -> int:
    return sum(1 + _parts(below) for below in tree.values())


def _rows(resource: Resource[Any], tree: Includes) -> int:
    found = 0
    for name, below in tree.items():
        relation = resource.relations[name]
        found += (USUAL_PAGE if relation.many else 1) * (1 + _rows(relation.target, below))
    return found


def _leaves(tree: Includes) -> Iterator[str]:
    for name, below in tree.items():
        yield from (f"{name}.{each}" for each in _leaves(below)) if below else (name,)


class RestAnswers:
    """The answers that one caller gets, compared with what they should find."""

    def __init__(self, world: World, caller: Caller, tally: Tally, asked: str) -> None:
        self.world, self.caller, self.tally, self.asked = world, caller, tally, asked

    def row(self, value: Mapping[str, Any] | None, resource: Resource[Any], tree: Includes, row: Marked | None) -> None:
        """A row with what is included, or null."""
        self.tally.checked += 1
        found = None if value is None else key_of(value["id"])
        if found != (row.key if row else None):
            self._fault(f"shows {found} instead of {row and row.key}")
        elif value is not None and row is not None:
            self._below(value, resource, tree, row)

    def page(
        self, value: Mapping[str, Any], resource: Resource[Any], tree: Includes, rows: Mapping[UUID, Marked], limit: int
    ) -> None:
        """A page of a list, with its size if that is told."""
        self.tally.checked += 1
        keys = [key_of(each["id"]) for each in value["data"]]
        about = value["page"]
        found = (len(keys), about["has_next"], about.get("total", len(rows)), len(set(keys)))
        size = min(limit, len(rows))
        if found != (size, len(rows) > limit, len(rows), size) or not set(keys) <= set(rows):
            self._fault(f"shows {keys}, {about} instead of {list(rows)}")
            return
        for key, each in zip(keys, value["data"], strict=True):
            self._below(each, resource, tree, rows[key])

    def _below(self, value: Mapping[str, Any], resource: Resource[Any], tree: Includes, row: Marked) -> None:
        for name, further in tree.items():
            relation: Relation = resource.relations[name]
            found = self.world.related(self.caller, relation, row.key)
            if relation.many:
                self.page(value[name], relation.target, further, found, USUAL_PAGE)
            else:
                self.row(value[name], relation.target, further, next(iter(found.values()), None))

    def _fault(self, what: str) -> None:
        self.tally.faults.append(f"{self.caller.name}: {self.asked} {what}")
