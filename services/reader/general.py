"""Answers queries by the general path: as the Reader does, but with a statement for every list, row and relation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice, repeat
from typing import Any, cast
from uuid import UUID

from services.catalogue.resources import Relation, Resource
from services.queries.lists import ListArguments, Page, Record
from services.queries.selections import (
    Constant,
    Cursor,
    Edges,
    Input,
    Listing,
    Many,
    NodesRoot,
    One,
    PageObject,
    PageProperty,
    PageValue,
    Query,
    Root,
    RowRoot,
    Rows,
    Selection,
    Tag,
    Value,
    page_properties_of,
    selections_of,
)
from services.queries.versions import tag_of_record
from services.reader.records import Records

Object = dict[str, Any]


async def answer(records: Records, query: Query, inputs: Sequence[Input]) -> Object:
    """Return the answer by the roots' keys, in JSON types. Raises `validation_failed` for a cursor of another list."""
    general = _General(records, inputs)
    await general.load_roots(query.roots)
    return {root.key: await general.root(root) for root in query.roots}


class _General:
    """Reads what several parts of a query have in common once, so that aliases of one relation cost one statement."""

    def __init__(self, records: Records, inputs: Sequence[Input]) -> None:
        self.records, self.inputs = records, inputs
        self._loaded: defaultdict[Resource[Any], dict[UUID, Record | None]] = defaultdict(dict)
        self._related: defaultdict[tuple[Relation, ListArguments], dict[UUID, Page]] = defaultdict(dict)
        self._counts: defaultdict[tuple[Relation, ListArguments], dict[UUID, int]] = defaultdict(dict)

    async def load_roots(self, roots: Sequence[Root]) -> None:
        """Read the rows that roots name by their keys, in one statement for each resource."""
        keys: defaultdict[Resource[Any], list[UUID]] = defaultdict(list)
        for root in roots:
            if isinstance(root, NodesRoot):
                for resource, key in cast("Sequence[tuple[Resource[Any], UUID]]", self.inputs[root.slot]):
                    keys[resource].append(key)
            elif isinstance(root, RowRoot) and root.where is None:
                keys[root.resource].append(self._key(root))
        for resource, keys_of_resource in keys.items():
            await self._load(resource, keys_of_resource)

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
        if PageProperty.TOTAL in page_properties_of(root.listing):
            total = await self.records.count(root.resource, arguments.whole(), root.where)
        (result,) = await self._pages(root.resource, [page], [total], root.listing)
        return result

    async def _row(self, root: RowRoot) -> Object | None:
        if root.where is not None:
            record = await self.records.find(root.resource, root.where)
        else:
            record = self._loaded[root.resource][self._key(root)]
        return None if record is None else (await self._rows(root.resource, [record], root.selection))[0]

    async def _nodes(self, root: NodesRoot) -> Any:
        identifiers: Any = self.inputs[root.slot]
        selections = dict(root.selections)
        nodes: dict[tuple[Resource[Any], UUID], Object] = {}
        for resource in dict.fromkeys(resource for resource, _ in identifiers):
            records = await self._load(resource, [key for named, key in identifiers if named is resource])
            rows = await self._rows(resource, list(records.values()), selections[resource])
            nodes |= {(resource, key): row for key, row in zip(records, rows, strict=True)}
        ordered = [nodes.get(identifier) for identifier in identifiers]
        return ordered if root.many else ordered[0]

    async def _pages(
        self, resource: Resource[Any], pages: Sequence[Page], totals: Sequence[int | None], listing: Listing
    ) -> list[Object]:
        """Return several pages of one listing, whose rows are read together."""
        records = [record for page in pages for record in page.records]
        rows = {
            id(selection): iter(await self._rows(resource, records, selection)) for selection in selections_of(listing)
        }
        return [
            _page(page, total, listing, {key: list(islice(rows[key], len(page.records))) for key in rows})
            for page, total in zip(pages, totals, strict=True)
        ]

    async def _rows(self, resource: Resource[Any], records: Sequence[Record], selection: Selection) -> list[Object]:
        rows: list[Object] = [{} for _ in records]
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
            for row, value in zip(rows, values, strict=True):
                row[member.key] = value
        return rows

    async def _one(self, member: One, records: Sequence[Record]) -> list[Object | None]:
        relation = member.relation
        keys = [record[relation.local] for record in records]
        related = await self._load(relation.target, [key for key in keys if key is not None])
        rows = await self._rows(relation.target, list(related.values()), member.selection)
        by_key = dict(zip(related, rows, strict=True))
        return [by_key.get(key) for key in keys]

    async def _many(self, member: Many, records: Sequence[Record]) -> list[Object]:
        relation, arguments = member.relation, self._arguments(member.slot)
        keys = list({record["id"] for record in records})
        pages = self._related[relation, arguments]
        if unread := [key for key in keys if key not in pages]:
            pages |= await self.records.related(relation, unread, arguments)
        totals: dict[UUID, int] = {}
        if PageProperty.TOTAL in page_properties_of(member.listing):
            totals = self._counts[relation, arguments.whole()]
            if unread := [key for key in keys if key not in totals]:
                totals |= await self.records.related_counts(relation, unread, arguments.whole())
        results = await self._pages(
            relation.target, [pages[key] for key in keys], [totals.get(key) for key in keys], member.listing
        )
        by_key = dict(zip(keys, results, strict=True))
        return [by_key[record["id"]] for record in records]

    async def _load(self, resource: Resource[Any], keys: Sequence[UUID]) -> dict[UUID, Record]:
        """Return the readable rows by their keys, each read once."""
        loaded = self._loaded[resource]
        unread = list(dict.fromkeys(key for key in keys if key not in loaded))
        if unread:
            loaded |= dict.fromkeys(unread) | await self.records.many(resource, unread)
        return {key: record for key in dict.fromkeys(keys) if (record := loaded[key]) is not None}

    def _key(self, root: RowRoot) -> UUID:
        assert root.slot is not None
        key = self.inputs[root.slot]
        assert isinstance(key, UUID)
        return key

    def _arguments(self, slot: int) -> ListArguments:
        arguments = self.inputs[slot]
        assert isinstance(arguments, ListArguments)
        return arguments


def _value(resource: Resource[Any], record: Record, member: Constant | Value) -> Any:
    if isinstance(member, Constant):
        return member.value
    value = resource.serialise(member.field, record[member.field])
    kind = resource.fields[member.field]
    if not member.by_name or kind.enum is None or value is None:
        return value
    return [_name(kind.enum, entry) for entry in value] if kind.many else _name(kind.enum, value)


def _name(kind: type[StrEnum], value: str | None) -> str | None:
    return None if value is None else kind(value).name


def _page(page: Page, total: int | None, listing: Listing, rows: dict[int, list[Object]]) -> Object:
    """Return a page as it was requested; `rows` has its rows by the id of their selection."""
    result: Object = {}
    for part in listing:
        if isinstance(part, (Constant, PageValue)):
            result[part.key] = _fact(page, total, part)
        elif isinstance(part, PageObject):
            result[part.key] = {member.key: _fact(page, total, member) for member in part.members}
        elif isinstance(part, Rows):
            result[part.key] = rows[id(part.selection)]
        else:
            result[part.key] = _edges(page, part, rows)
    return result


def _edges(page: Page, part: Edges, rows: dict[int, list[Object]]) -> list[Object]:
    edges: list[Object] = [{} for _ in page.records]
    for member in part.members:
        if isinstance(member, Constant):
            values: Iterable[Any] = repeat(member.value, len(edges))
        elif isinstance(member, Cursor):
            values = page.cursors
        else:
            values = rows[id(member.selection)]
        for edge, value in zip(edges, values, strict=True):
            edge[member.key] = value
    return edges


def _fact(page: Page, total: int | None, part: Constant | PageValue) -> Any:
    if isinstance(part, Constant):
        return part.value
    first, last = (page.cursors[0], page.cursors[-1]) if page.cursors else (None, None)
    return {
        PageProperty.HAS_NEXT: page.has_next,
        PageProperty.HAS_PREVIOUS: page.has_previous,
        PageProperty.START: first,
        PageProperty.END: last,
        PageProperty.NEXT: last if page.has_next else None,
        PageProperty.PREVIOUS: first if page.has_previous else None,
        PageProperty.TOTAL: total,
    }[part.about]
