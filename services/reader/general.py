"""Queries by the general path: the same answers as the Reader's, a statement for every list, row and relation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.catalogue.resources import Resource
from services.queries.lists import ListArguments, Page, Record
from services.queries.selections import (
    About,
    Constant,
    Cursor,
    Fact,
    Facts,
    Input,
    Listing,
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
from services.queries.versions import tag_of_record
from services.reader.records import Records

Shown = dict[str, Any]


async def answer(records: Records, query: Query, inputs: Sequence[Input]) -> Shown:
    """By each root's key what was found, in JSON's types. Raises `validation_failed` for a cursor of another list."""
    general = _General(records, inputs)
    return {root.key: await general.root(root) for root in query.roots}


class _General:
    def __init__(self, records: Records, inputs: Sequence[Input]) -> None:
        self.records, self.inputs = records, inputs

    async def root(self, root: Root) -> Any:
        if isinstance(root, Constant):
            return root.value
        if isinstance(root, NodesRoot):
            return await self._nodes(root)
        if isinstance(root, RowRoot):
            return await self._row(root)
        arguments = self._arguments(root.slot)
        page = await self.records.page(root.resource, arguments, root.where)
        total = None
        if About.TOTAL in facts_of(root.listing):
            total = await self.records.count(root.resource, arguments.whole(), root.where)
        (shown,) = await self._pages(root.resource, [page], [total], root.listing)
        return shown

    async def _row(self, root: RowRoot) -> Shown | None:
        if root.where is not None:
            found = await self.records.find(root.resource, root.where)
        else:
            assert root.slot is not None
            key = self.inputs[root.slot]
            assert isinstance(key, UUID)
            found = await self.records.get(root.resource, key)
        return None if found is None else (await self._rows(root.resource, [found], root.selection))[0]

    async def _nodes(self, root: NodesRoot) -> Any:
        asked: Any = self.inputs[root.slot]
        selections = dict(root.selections)
        found: dict[tuple[Resource[Any], UUID], Shown] = {}
        for resource in dict.fromkeys(resource for resource, _ in asked):
            rows = await self.records.many(resource, [key for of, key in asked if of is resource])
            shown = await self._rows(resource, list(rows.values()), selections[resource])
            found |= {(resource, key): each for key, each in zip(rows, shown, strict=True)}
        nodes = [found.get(each) for each in asked]
        return nodes if root.many else nodes[0]

    async def _pages(
        self, resource: Resource[Any], pages: Sequence[Page], totals: Sequence[int | None], listing: Listing
    ) -> list[Shown]:
        """Several pages of one listing, whose rows are read together."""
        records = [each for page in pages for each in page.records]
        by_selection = {id(each): await self._rows(resource, records, each) for each in selections_of(listing)}
        shown, start = [], 0
        for page, total in zip(pages, totals, strict=True):
            end = start + len(page.records)
            rows = {selection: each[start:end] for selection, each in by_selection.items()}
            shown.append(_page(page, total, listing, rows))
            start = end
        return shown

    async def _rows(self, resource: Resource[Any], records: Sequence[Record], selection: Selection) -> list[Shown]:
        """What is wanted of each record."""
        shown: list[Shown] = [{} for _ in records]
        values: Sequence[Any] = ()
        tags: Sequence[str] = ()
        for member in selection.members:
            if isinstance(member, Tag):
                values = tags = tags or [tag_of_record(resource, record) for record in records]
            elif isinstance(member, (Constant, Value)):
                values = [_value(resource, record, member) for record in records]
            elif isinstance(member, One):
                values = await self._one(member, records)
            else:
                values = await self._many(member, records)
            for each, value in zip(shown, values, strict=True):
                each[member.key] = value
        return shown

    async def _one(self, member: One, records: Sequence[Record]) -> list[Shown | None]:
        relation = member.relation
        keys = [record[relation.local] for record in records]
        rows = await self.records.many(relation.target, list({key for key in keys if key is not None}))
        shown = await self._rows(relation.target, list(rows.values()), member.selection)
        found = dict(zip(rows, shown, strict=True))
        return [found.get(key) for key in keys]

    async def _many(self, member: Many, records: Sequence[Record]) -> list[Shown]:
        relation, arguments = member.relation, self._arguments(member.slot)
        keys = list({record["id"] for record in records})
        pages = await self.records.related(relation, keys, arguments)
        totals = {}
        if About.TOTAL in facts_of(member.listing):
            totals = await self.records.related_counts(relation, keys, arguments.whole())
        of_keys = [pages[key] for key in keys]
        shown = await self._pages(relation.target, of_keys, [totals.get(key) for key in keys], member.listing)
        found = dict(zip(keys, shown, strict=True))
        return [found[record["id"]] for record in records]

    def _arguments(self, slot: int) -> ListArguments:
        found = self.inputs[slot]
        assert isinstance(found, ListArguments)
        return found


def _value(resource: Resource[Any], record: Record, member: Constant | Value) -> Any:
    if isinstance(member, Constant):
        return member.value
    value = record[member.field]
    shown = resource.serialise(member.field, value)
    kind = resource.fields[member.field]
    if not member.by_name or kind.enum is None or shown is None:
        return shown
    return [_name(kind.enum, each) for each in shown] if kind.many else _name(kind.enum, shown)


def _name(kind: type[StrEnum], value: str | None) -> str | None:
    """The name of an enum's member that has a value that is shown."""
    return None if value is None else kind(value).name


def _page(page: Page, total: int | None, listing: Listing, rows: dict[int, list[Shown]]) -> Shown:
    shown: Shown = {}
    for part in listing:
        if isinstance(part, (Constant, Fact)):
            shown[part.key] = _fact(page, total, part)
        elif isinstance(part, Facts):
            shown[part.key] = {each.key: _fact(page, total, each) for each in part.members}
        elif isinstance(part, Rows):
            shown[part.key] = rows[id(part.selection)]
        else:
            edges: list[Shown] = [{} for _ in page.records]
            for member in part.members:
                if isinstance(member, Constant):
                    values: Sequence[Any] = [member.value] * len(edges)
                else:
                    values = page.cursors if isinstance(member, Cursor) else rows[id(member.selection)]
                for edge, value in zip(edges, values, strict=True):
                    edge[member.key] = value
            shown[part.key] = edges
    return shown


def _fact(page: Page, total: int | None, part: Constant | Fact) -> Any:
    if isinstance(part, Constant):
        return part.value
    first, last = (page.cursors[0], page.cursors[-1]) if page.cursors else (None, None)
    return {
        About.HAS_NEXT: page.has_next,
        About.HAS_PREVIOUS: page.has_previous,
        About.START: first,
        About.END: last,
        About.NEXT: last if page.has_next else None,
        About.PREVIOUS: first if page.has_previous else None,
        About.TOTAL: total,
    }[part.about]
