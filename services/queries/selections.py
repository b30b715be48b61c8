"""What a caller asks for, as a tree: values and relations under the names that the answer gives them.

GraphQL's selection sets and REST's `fields` and `include` both become a `Query`, so that one Reader answers both. The
tree holds no values: what differs from call to call (a list's arguments, a row's key) comes beside it, as the input of
a numbered slot, so that a tree is planned once and read many times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from services.catalogue.policies import Rule
from services.catalogue.resources import Relation, Resource
from services.queries.lists import ListArguments


@dataclass(frozen=True, slots=True)
class Constant:
    """The same in every answer, such as GraphQL's `__typename`."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Value:
    """A field of the row; `by_name`: an enum by its member's name, as GraphQL has it."""

    key: str
    field: str
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """The row's version (versions.py)."""

    key: str


@dataclass(frozen=True, slots=True)
class One:
    """The row that a to-one relation leads to, or null."""

    key: str
    relation: Relation
    selection: Selection


@dataclass(frozen=True, slots=True)
class Many:
    """A page of a to-many relation; the slot's input is its ListArguments."""

    key: str
    relation: Relation
    slot: int
    listing: Listing


Member = Constant | Value | Tag | One | Many


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of one row."""

    members: tuple[Member, ...]


class PageProperty(Enum):
    """What can be told of a page."""

    HAS_NEXT = "has_next"
    HAS_PREVIOUS = "has_previous"
    START = "start"
    """The first row's cursor, or null."""
    END = "end"
    """The last row's cursor, or null."""
    NEXT = "next"
    """The last row's cursor where there is a next page, otherwise null."""
    PREVIOUS = "previous"
    """The first row's cursor where there is a page before, otherwise null."""
    TOTAL = "total"
    """The size of the whole list."""


@dataclass(frozen=True, slots=True)
class PageValue:
    """Something told of the page."""

    key: str
    about: PageProperty


@dataclass(frozen=True, slots=True)
class PageObject:
    """Several facts in an object of their own."""

    key: str
    members: tuple[Constant | PageValue, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The page's rows, as a list."""

    key: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class Cursor:
    """A row's place in its list."""

    key: str


@dataclass(frozen=True, slots=True)
class EdgeNode:
    """An edge's row."""

    key: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class Edges:
    """The page's rows with what belongs to their place in the list."""

    key: str
    members: tuple[Constant | Cursor | EdgeNode, ...]


Listing = tuple[Constant | PageValue | PageObject | Rows | Edges, ...]
"""What is wanted of a page."""


@dataclass(frozen=True, slots=True)
class ListRoot:
    """A page of a resource, restricted by `where`; the slot's input is its ListArguments."""

    key: str
    resource: Resource[Any]
    where: Rule | None
    slot: int
    listing: Listing


@dataclass(frozen=True, slots=True)
class RowRoot:
    """One row or null: the one that `where` holds for, or the one whose key is the slot's input."""

    key: str
    resource: Resource[Any]
    where: Rule | None
    slot: int | None
    selection: Selection


@dataclass(frozen=True, slots=True)
class NodesRoot:
    """Rows of any resources by their identifiers, null for what is not there; `many`: in a list.

    The slot's input is a tuple of (resource, key). Rows of a resource without a selection show `otherwise`.
    """

    key: str
    many: bool
    slot: int
    selections: tuple[tuple[Resource[Any], Selection], ...]


Root = Constant | ListRoot | RowRoot | NodesRoot
Part = Root | One | Many
Input = ListArguments | UUID | Sequence[tuple["Resource[Any]", UUID]]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """Everything that one call reads; one statement, so one snapshot. Two are equal only if they are one object."""

    roots: tuple[Root, ...]
    noted: str = ""
    """What the access line calls it."""
    weight: int = 0
    """Points of the operations that it calls."""
    passing: bool = False
    """Whether it is forgotten after this call, so that no plan of it is worth making."""
    parts: tuple[Part, ...] = field(init=False)
    """The roots and every relation below them."""
    related: tuple[Resource[Any], ...] = field(init=False)
    """Whatever rows are read of through relations, as they come."""
    resources: tuple[Resource[Any], ...] = field(init=False)
    """The resources of the roots, nodes aside, and these."""
    scopes: frozenset[str] = field(init=False)
    """What reading these needs."""
    lists: Mapping[int, Resource[Any]] = field(init=False)
    """The resource of each slot that takes a list's arguments."""
    nodes: tuple[int, ...] = field(init=False)
    """The slots that take identifiers, whose resources are known with the inputs."""
    cost: Any = field(init=False, default=None)
    """What `query_cost` of costs.py has found."""

    def __post_init__(self) -> None:
        relations = [relation for root in self.roots for relation in _relations_below(root)]
        related = dict.fromkeys(relation.relation.target for relation in relations)
        roots = dict.fromkeys(root.resource for root in self.roots if isinstance(root, (ListRoot, RowRoot)))
        object.__setattr__(self, "parts", (*self.roots, *relations))
        object.__setattr__(self, "related", tuple(related))
        object.__setattr__(self, "resources", tuple(roots | related))
        object.__setattr__(self, "scopes", frozenset(each.read_scope for each in self.resources))
        lists = {each.slot: each.resource for each in self.roots if isinstance(each, ListRoot)}
        lists |= {each.slot: each.relation.target for each in relations if isinstance(each, Many)}
        object.__setattr__(self, "lists", lists)
        object.__setattr__(self, "nodes", tuple(each.slot for each in self.roots if isinstance(each, NodesRoot)))


def selections_of(listing: Listing) -> list[Selection]:
    """What a listing wants of its rows, wherever it shows them."""
    found = []
    for part in listing:
        if isinstance(part, Rows):
            found.append(part.selection)
        elif isinstance(part, Edges):
            found += [each.selection for each in part.members if isinstance(each, EdgeNode)]
    return found


def page_properties_of(listing: Listing) -> set[PageProperty]:
    """What a listing tells of its page."""
    found = set()
    for part in listing:
        facts = part.members if isinstance(part, PageObject) else (part,)
        found |= {each.about for each in facts if isinstance(each, PageValue)}
    return found


def members_below(part: Part | Member) -> list[Member]:
    """What a part of a query wants of each of its rows."""
    selections: Iterable[Selection] = ()
    if isinstance(part, (One, RowRoot)):
        selections = [part.selection]
    elif isinstance(part, (Many, ListRoot)):
        selections = selections_of(part.listing)
    elif isinstance(part, NodesRoot):
        selections = [selection for _, selection in part.selections]
    return [member for selection in selections for member in selection.members]


def _relations_below(part: Part) -> Iterator[One | Many]:
    for member in members_below(part):
        if isinstance(member, (One, Many)):
            yield member
            yield from _relations_below(member)
