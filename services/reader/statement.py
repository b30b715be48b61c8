"""Builds the SQL statement of a query, and the layout of its one row.

Every list is a *level*: a common table expression of the list's page, with to-one relations joined to its rows. A level
below another reads the page of each distinct parent through a lateral join. The final select turns each level into one
row of arrays, and joins these rows:

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

The policies and the limits of pages are in pages.py. One row without lists below it is selected without arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, FromClause, Subquery, func, select, true

from services.catalogue.actors import Actor
from services.catalogue.resources import Resource
from services.queries.selections import (
    Constant,
    ListRoot,
    Many,
    NodesRoot,
    One,
    PageProperty,
    Query,
    Root,
    RowRoot,
    Selection,
    Tag,
    Value,
    selections_of,
)
from services.reader.layout import (
    Column,
    NodesLayout,
    ObjectLayout,
    PageLayout,
    RootLayout,
    RowLayout,
    TagLayout,
    selected_fields,
)
from services.reader.levels import KEY, Level, PendingList, RowScope, written
from services.reader.pages import Pages
from services.reader.shapes import BoundInput
from services.storage.prepared import Prepared

MAX_PARTS: Final = 60
"""Relations in one statement; larger queries take the general path."""


class NotCompiledError(Exception):
    """The query takes the general path."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement (None if nothing is selected), the number of places in its row, and their layout."""

    prepared: Prepared | None
    places: int
    roots: Sequence[tuple[str, RootLayout]]


def build(query: Query, slots: Sequence[BoundInput], actor: Actor, page_size: int) -> Statement:
    """Return the statement that reads a query for this kind of actor. Raises NotCompiledError for too large a query."""
    if len(query.parts) > MAX_PARTS:
        raise NotCompiledError("too many relations")
    return _Builder(slots, actor, page_size).build(query)


class _Builder:
    def __init__(self, slots: Sequence[BoundInput], actor: Actor, page_size: int) -> None:
        self.slots, self.actor, self.pages = slots, actor, Pages(actor, slots, page_size)
        self.levels, self.places = count(), count()
        self._columns: dict[int, ColumnElement[Any]] = {}

    def build(self, query: Query) -> Statement:
        if len(query.roots) == 1 and isinstance(query.roots[0], RowRoot) and not any(
            isinstance(part, Many) for part in query.parts
        ):  # fmt: skip
            return self._row(query.roots[0])
        roots = [(root.key, self._root(root)) for root in query.roots]
        if not self._columns:
            return Statement(None, 0, roots)
        row = select(*[self._columns[place] for place in range(len(self._columns))])
        return Statement(Prepared(row), len(self._columns), roots)

    def _row(self, root: RowRoot) -> Statement:
        """Select one row without lists, which needs no arrays."""
        frame = self._row_frame(root)
        layout = RowLayout(self._object(frame, root.selection), None)
        frame.place("id")
        return Statement(Prepared(frame.level.values()), len(frame.level.outputs), [(root.key, layout)])

    def _row_frame(self, root: RowRoot) -> RowScope:
        fields = selected_fields(root.resource, [root.selection])
        page = self.pages.one(root, fields)
        return self._frame(page, page, root.resource, unique=True)

    def _root(self, root: Root) -> RootLayout:
        if isinstance(root, Constant):
            return root
        if isinstance(root, ListRoot):
            return self._list(root)
        if isinstance(root, NodesRoot):
            return self._nodes(root)
        frame = self._row_frame(root)
        layout = RowLayout(self._object(frame, root.selection), frame.place("id"))
        self._finish(frame)
        return layout

    def _nodes(self, root: NodesRoot) -> NodesLayout:
        selections, row_layouts = dict(root.selections), []
        for place, resource in enumerate(self.slots[root.slot].resources):
            fields = selected_fields(resource, [selections[resource]])
            page = self.pages.several(resource, root.slot, place, fields)
            frame = self._frame(page, page, resource, unique=True)
            row_layouts.append((frame.place("id"), self._object(frame, selections[resource])))
            self._finish(frame)
        return NodesLayout(root.many, root.slot, row_layouts)

    def _list(self, root: ListRoot) -> PageLayout:
        layout = self._page_layout(root.resource, root)
        if PageProperty.TOTAL in layout.facts:
            layout.size = next(self.places)
            self._columns[layout.size] = self.pages.size(root).label(f"p{layout.size}")
        fields = layout.fields
        if fields:
            page = self.pages.top(root, fields, more=layout.looks_ahead)
            frame = self._frame(page, page, root.resource, unique=True)
            self._fill(layout, frame)
            self._finish(frame)
        return layout

    def _below(self, above: CTE, pending: PendingList) -> None:
        member, layout = pending.member, pending.layout
        key = above.c[f"c{pending.key}"].label("key")
        keys = select(key) if pending.unique else select(key).where(key.is_not(None)).distinct()
        parents = keys.subquery("parent")
        if PageProperty.TOTAL in layout.facts:
            self._sizes(layout, member, parents)
        fields = layout.fields
        if fields:
            page = self.pages.below(member, parents.c.key, fields, more=layout.looks_ahead)
            source = parents.join(page, true())
            frame = self._frame(source, page, layout.resource, unique=member.relation.through is None)
            layout.parents = frame.level.place(parents.c.key, KEY)
            self._fill(layout, frame)
            self._finish(frame)

    def _sizes(self, layout: PageLayout, member: Many, parents: Subquery) -> None:
        size = self.pages.size_below(member, parents.c.key)
        inner = select(parents.c.key, size.label("size")).subquery("r")
        layout.sized, layout.size = next(self.places), next(self.places)
        arrays = select(
            func.array_agg(written(inner.c.key, KEY)).label("keys"), func.array_agg(inner.c.size).label("sizes")
        )
        sizes = arrays.select_from(inner).subquery(f"sizes{layout.size}")
        self._columns |= {layout.sized: sizes.c["keys"], layout.size: sizes.c.sizes}

    def _page_layout(self, resource: Resource[Any], member: ListRoot | Many) -> PageLayout:
        arguments = self.slots[member.slot].arguments
        assert arguments is not None
        return PageLayout(
            resource, arguments.order, member.slot, arguments.backward, arguments.is_inside, member.listing
        )

    def _frame(self, source: FromClause, page: FromClause, resource: Resource[Any], *, unique: bool) -> RowScope:
        level = Level(self.levels, self.places, source, unique=unique)
        return RowScope(level, resource, lambda name: page.c[name], own=True)

    def _fill(self, layout: PageLayout, frame: RowScope) -> None:
        level, fields = frame.level, layout.resource.fields
        level.order = [
            (level.index(frame.column(term.field)), fields[term.field], term.descending) for term in layout.order
        ]
        if layout.shows_cursors:
            layout.cursor = [Column(frame.place(term.field), fields[term.field]) for term in layout.order]
        layout.objects = [self._object(frame, selection) for selection in selections_of(layout.listing)]
        outputs = level.outputs or {0: (frame.place("id"), KEY)}
        layout.rows = next(iter(outputs.values()))[0]

    def _object(self, frame: RowScope, selection: Selection) -> ObjectLayout:
        """Lay out the members of a row, adding joins and pending lists."""
        return ObjectLayout([(member.key, self._member(frame, member)) for member in selection.members])

    def _member(
        self, frame: RowScope, member: Constant | Value | Tag | One | Many
    ) -> Constant | Column | TagLayout | ObjectLayout | PageLayout:
        if isinstance(member, Constant):
            return member
        if isinstance(member, Value):
            return Column(frame.place(member.field), frame.resource.fields[member.field], member.by_name)
        if isinstance(member, Tag):
            return frame.tag()
        if isinstance(member, Many):
            return self._pend(frame, member)
        joined = self._join(frame, member)
        layout = self._object(joined, member.selection)
        layout.present = joined.place("id")
        return layout

    def _join(self, frame: RowScope, member: One) -> RowScope:
        relation = member.relation
        if relation not in frame.joined:
            target = relation.target
            entity, on = self.pages.joined(target, frame.column(relation.local))
            frame.level.joins.append((entity, on))
            frame.joined[relation] = RowScope(
                frame.level, target, lambda name: target.policy.column(name, entity, self.actor), own=False
            )
        return frame.joined[relation]

    def _pend(self, frame: RowScope, member: Many) -> PageLayout:
        layout = self._page_layout(member.relation.target, member)
        layout.parent = frame.place("id")
        unique = frame.own and frame.level.unique
        frame.level.pending.append(PendingList(member, layout, frame.level.index(frame.column("id")), unique))
        return layout

    def _finish(self, frame: RowScope) -> None:
        """Add the arrays of a complete level, and the lists below it."""
        level = frame.level
        if not level.outputs:
            frame.place("id")
        rows = level.rows()
        arrays = level.arrays(rows)
        self._columns |= {place: arrays.c[f"p{place}"] for place, _ in level.outputs.values()}
        for pending in level.pending:
            self._below(rows, pending)
