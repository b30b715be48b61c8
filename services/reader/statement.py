"""From a query to the text of one SQL statement, and the layout of its one row.

Every list is a *level*: a common table expression that holds the list's page, to-one relations joined to the page's
rows. A level below another takes each distinct parent once and reads its page through a lateral join. The last part
turns each level into one row of arrays, and puts these rows side by side:

    with l0 as materialized (
        select page.id as c0, page.title as c1, creator.username as c2
        from (select id, title, creator_id from items where <policy> order by id desc limit $1) page
        left join users creator on creator.id = page.creator_id and <policy>),
      l1 as materialized (
        select parent.key as c0, page.body as c1, page.id as c2
        from (select c0 as key from l0) parent cross join lateral (
            select id, body from comments where item_id = parent.key and <policy> order by id desc limit $2) page)
    select * from
        (select array_agg(c0), array_agg(c1), array_agg(c2) from (select * from l0 order by c0 desc) r0) a0,
        (select array_agg(c0), array_agg(c1) from (select * from l1 order by c2 desc) r1) a1

What is restricted how, and how a page is cut, is in pages.py. One row without lists below it is selected as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    func,
    select,
    true,
)

from services.catalogue.actors import Actor
from services.catalogue.resources import Resource
from services.queries.selections import (
    About,
    Constant,
    Cursor,
    Edges,
    Fact,
    Facts,
    Listing,
    ListRoot,
    Many,
    NodesRoot,
    One,
    Query,
    Root,
    RowRoot,
    Rows,
    Selection,
    Tag,
    Value,
    facts_of,
    selections_of,
)
from services.reader.layout import (
    Column,
    EdgesLayout,
    FactsLayout,
    NodesLayout,
    ObjectLayout,
    PageLayout,
    RootLayout,
    RowLayout,
    RowsLayout,
)
from services.reader.levels import KEY, Frame, Level, Numbers, Pending, written
from services.reader.pages import Pages
from services.reader.shapes import Bound
from services.storage.prepared import Prepared

MAX_PARTS: Final = 60
"""Relations in one statement; what has more goes down the general path."""


class NotCompiledError(Exception):
    """The Reader leaves this to the general path."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement (None where there is nothing to ask), and its row: how many places it has, and where is what."""

    prepared: Prepared | None
    places: int
    roots: Sequence[tuple[str, RootLayout]]


def build(query: Query, slots: Sequence[Bound], actor: Actor, page_size: int) -> Statement:
    """The statement that reads a query for actors like this one. Raises NotCompiledError for what is too large."""
    if len(query.parts) > MAX_PARTS:
        raise NotCompiledError("too many relations")
    return _Builder(slots, actor, page_size).build(query)


class _Builder:
    def __init__(self, slots: Sequence[Bound], actor: Actor, page_size: int) -> None:
        self.slots, self.actor, self.pages = slots, actor, Pages(actor, slots, page_size)
        self.numbers = Numbers()
        self._found: dict[int, ColumnElement[Any]] = {}
        """The columns of the last row, by their place."""

    def build(self, query: Query) -> Statement:
        if len(query.roots) == 1 and isinstance(query.roots[0], RowRoot) and not any(
            isinstance(part, Many) for part in query.parts
        ):  # fmt: skip
            return self._row(query.roots[0])
        roots = [(root.key, self._root(root)) for root in query.roots]
        if not self._found:
            return Statement(None, 0, roots)
        row = select(*[self._found[place] for place in range(self.numbers.places)])
        return Statement(Prepared(row), self.numbers.places, roots)

    def _row(self, root: RowRoot) -> Statement:
        """One row, and nothing else: it needs no arrays."""
        page = self.pages.one(root.resource, root.where, root.slot, self._needed(root.resource, [root.selection]))
        level, frame = self._level(page, page, root.resource, unique=True)
        layout = RowLayout(self._object(frame, root.selection), None)
        frame.place("id")
        return Statement(Prepared(level.values()), self.numbers.places, [(root.key, layout)])

    def _root(self, root: Root) -> RootLayout:
        if isinstance(root, Constant):
            return root
        if isinstance(root, ListRoot):
            return self._list(root)
        if isinstance(root, NodesRoot):
            return self._nodes(root)
        page = self.pages.one(root.resource, root.where, root.slot, self._needed(root.resource, [root.selection]))
        level, frame = self._level(page, page, root.resource, unique=True)
        layout = RowLayout(self._object(frame, root.selection), frame.place("id"))
        self._finish(level, frame)
        return layout

    def _nodes(self, root: NodesRoot) -> NodesLayout:
        selections, found = dict(root.selections), []
        present: Any = self.slots[root.slot].shape
        for place, resource in enumerate(present):
            fields = self._needed(resource, [selections[resource]])
            page = self.pages.several(resource, root.slot, place, fields)
            level, frame = self._level(page, page, resource, unique=True)
            found.append((frame.place("id"), self._object(frame, selections[resource])))
            self._finish(level, frame)
        return NodesLayout(root.many, root.slot, found)

    def _list(self, root: ListRoot) -> PageLayout:
        layout = self._page_layout(root.resource, root.slot)
        if About.TOTAL in facts_of(root.listing):
            layout.size = self.numbers.next_place()
            self._found[layout.size] = self.pages.size(root.resource, root.where, root.slot).label(f"p{layout.size}")
        fields, more = self._needed_of(root.resource, root.listing, layout), _looks_ahead(root.listing, layout)
        if fields:
            page = self.pages.top(root.resource, root.where, root.slot, fields, more=more)
            level, frame = self._level(page, page, root.resource, unique=True)
            self._fill(layout, root.listing, frame)
            self._finish(level, frame)
        else:
            self._fill(layout, root.listing, None)
        return layout

    def _below(self, above: CTE, pending: Pending) -> None:
        """The list of each row of a level."""
        member, layout = pending.member, pending.layout
        key = above.c[f"c{pending.key}"].label("key")
        keys = select(key) if pending.unique else select(key).where(key.is_not(None)).distinct()
        parents = keys.subquery("parent")
        if About.TOTAL in facts_of(member.listing):
            self._sizes(layout, member, parents)
        fields, more = self._needed_of(layout.resource, member.listing, layout), _looks_ahead(member.listing, layout)
        if fields:
            page = self.pages.below(member.relation, member.slot, parents.c.key, fields, more=more)
            source = parents.join(page, true())
            level, frame = self._level(source, page, layout.resource, unique=member.relation.through is None)
            layout.parents = level.place(parents.c.key, KEY)
            self._fill(layout, member.listing, frame)
            self._finish(level, frame)
        else:
            self._fill(layout, member.listing, None)

    def _sizes(self, layout: PageLayout, member: Many, parents: Subquery) -> None:
        """The sizes of the whole lists of all parents."""
        size = self.pages.size_below(member.relation, member.slot, parents.c.key)
        inner = select(parents.c.key, size.label("size")).subquery("r")
        layout.sized, layout.size = self.numbers.next_place(), self.numbers.next_place()
        arrays = select(
            func.array_agg(written(inner.c.key, KEY)).label("keys"), func.array_agg(inner.c.size).label("sizes")
        )
        found = arrays.select_from(inner).subquery(f"sizes{layout.size}")
        self._found |= {layout.sized: found.c["keys"], layout.size: found.c.sizes}

    def _page_layout(self, resource: Resource[Any], slot: int) -> PageLayout:
        arguments = self.slots[slot].arguments
        assert arguments is not None
        return PageLayout(resource, arguments.order, slot, arguments.backward, arguments.is_inside)

    def _level(
        self, source: FromClause, page: FromClause, resource: Resource[Any], *, unique: bool
    ) -> tuple[Level, Frame]:
        level = Level(self.numbers, source, unique=unique)
        return level, Frame(level, resource, lambda name: page.c[name], own=True)

    def _fill(self, layout: PageLayout, listing: Listing, frame: Frame | None) -> None:
        """Lay out what is wanted of a page."""
        if frame is not None:
            level = frame.level
            fields = layout.resource.fields
            level.order = [
                (level.index(frame.column(each.field)), fields[each.field], each.descending) for each in layout.order
            ]
            if _shows_cursors(listing):
                layout.cursor = [Column(frame.place(each.field), fields[each.field]) for each in layout.order]
        for part in listing:
            layout.parts.append(self._part(part, frame))
        if frame is not None:
            outputs = frame.level.outputs or {0: (frame.place("id"), KEY)}
            layout.rows = next(iter(outputs.values()))[0]

    def _part(self, part: Any, frame: Frame | None) -> RowsLayout | EdgesLayout | FactsLayout:
        if isinstance(part, (Constant, Fact)):
            return FactsLayout(None, ((part.key, _fact(part)),))
        if isinstance(part, Facts):
            return FactsLayout(part.key, [(each.key, _fact(each)) for each in part.members])
        assert frame is not None
        if isinstance(part, Rows):
            return RowsLayout(part.key, self._object(frame, part.selection))
        assert isinstance(part, Edges)
        members = [(each.key, self._edge_member(each, frame)) for each in part.members]
        return EdgesLayout(part.key, members)

    def _edge_member(self, member: Any, frame: Frame) -> Constant | ObjectLayout | None:
        if isinstance(member, Constant):
            return member
        return None if isinstance(member, Cursor) else self._object(frame, member.selection)

    def _object(self, frame: Frame, selection: Selection) -> ObjectLayout:
        """Lay out what is wanted of a row, joining and noting what lies below it."""
        members: list[tuple[str, Any]] = []
        for member in selection.members:
            if isinstance(member, Constant):
                members.append((member.key, member))
            elif isinstance(member, Value):
                kind = frame.resource.fields[member.field]
                members.append((member.key, Column(frame.place(member.field), kind, member.by_name)))
            elif isinstance(member, Tag):
                members.append((member.key, frame.tag()))
            elif isinstance(member, One):
                joined = self._join(frame, member)
                below = self._object(joined, member.selection)
                below.present = joined.place("id")
                members.append((member.key, below))
            else:
                members.append((member.key, self._note(frame, member)))
        return ObjectLayout(members)

    def _join(self, frame: Frame, member: One) -> Frame:
        relation = member.relation
        if relation not in frame.joined:
            target = relation.target
            entity, on = self.pages.joined(target, frame.column(relation.local))
            frame.level.joins.append((entity, and_(*on)))
            frame.joined[relation] = Frame(
                frame.level, target, lambda name: target.policy.column(name, entity, self.actor), own=False
            )
        return frame.joined[relation]

    def _note(self, frame: Frame, member: Many) -> PageLayout:
        layout = self._page_layout(member.relation.target, member.slot)
        layout.parent = frame.place("id")
        unique = frame.own and frame.level.unique
        frame.level.pending.append(Pending(member, layout, frame.level.index(frame.column("id")), unique))
        return layout

    def _finish(self, level: Level, frame: Frame) -> None:
        if not level.outputs:
            frame.place("id")
        rows = level.rows()
        arrays = level.arrays(rows)
        self._found |= {place: arrays.c[f"p{place}"] for place, _ in level.outputs.values()}
        for pending in level.pending:
            self._below(rows, pending)

    def _needed(self, resource: Resource[Any], selections: Iterable[Selection]) -> list[str]:
        """The fields that a page must have for what is wanted of its rows."""
        found = {"id": None}
        for selection in selections:
            for member in selection.members:
                if isinstance(member, Value):
                    found[member.field] = None
                elif isinstance(member, Tag):
                    found |= dict.fromkeys(resource.fields)
                elif isinstance(member, One):
                    found[member.relation.local] = None
        return list(found)

    def _needed_of(self, resource: Resource[Any], listing: Listing, layout: PageLayout) -> list[str]:
        """The same of a page; none, where nothing is asked that depends on its rows."""
        selections = selections_of(listing)
        edges = any(isinstance(part, Edges) for part in listing)
        if not selections and not edges and facts_of(listing) <= {About.TOTAL}:
            return []
        return list(dict.fromkeys([*self._needed(resource, selections), *(each.field for each in layout.order)]))


def _fact(part: Constant | Fact) -> Constant | About:
    return part if isinstance(part, Constant) else part.about


def _looks_ahead(listing: Listing, layout: PageLayout) -> bool:
    """Whether it must be known if there is another page where reading goes on."""
    return bool(facts_of(listing) & layout.ahead)


def _shows_cursors(listing: Listing) -> bool:
    edges = (part for part in listing if isinstance(part, Edges))
    within = any(isinstance(member, Cursor) for part in edges for member in part.members)
    return within or bool(facts_of(listing) & {About.START, About.END, About.NEXT, About.PREVIOUS})
