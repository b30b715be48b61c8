"""Determines what a page must select for the parts of it that are requested."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.catalogue.resources import Resource
from services.queries.selections import (
    Cursor,
    Edges,
    Listing,
    One,
    PageProperty,
    Selection,
    Tag,
    Value,
    page_properties_of,
    selections_of,
)
from services.reader.layout import PageLayout


def selected_fields(resource: Resource[Any], selections: Iterable[Selection]) -> list[str]:
    """Return the fields that a page must have for these selections of its rows."""
    fields = {"id": None}
    for selection in selections:
        for member in selection.members:
            if isinstance(member, Value):
                fields[member.field] = None
            elif isinstance(member, Tag):
                fields |= dict.fromkeys(resource.fields)
            elif isinstance(member, One):
                fields[member.relation.local] = None
    return list(fields)


def page_fields(listing: Listing, layout: PageLayout) -> list[str]:
    """Return the fields that a page must have; none if nothing depends on its rows."""
    selections = selections_of(listing)
    has_edges = any(isinstance(part, Edges) for part in listing)
    if not selections and not has_edges and page_properties_of(listing) <= {PageProperty.TOTAL}:
        return []
    return list(dict.fromkeys([*selected_fields(layout.resource, selections), *(term.field for term in layout.order)]))


def looks_ahead(listing: Listing, layout: PageLayout) -> bool:
    """Return whether the page must know if the list continues in the direction of reading."""
    return bool(page_properties_of(listing) & layout.ahead)


def shows_cursors(listing: Listing) -> bool:
    """Return whether the page contains cursors, so that it must have the values of its order."""
    edge_members = (member for part in listing if isinstance(part, Edges) for member in part.members)
    in_edges = any(isinstance(member, Cursor) for member in edge_members)
    return in_edges or bool(
        page_properties_of(listing) & {PageProperty.START, PageProperty.END, PageProperty.NEXT, PageProperty.PREVIOUS}
    )
