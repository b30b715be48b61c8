"""Determines what a page must select for the parts of it that are requested."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.catalogue.resources import Resource
from services.queries.selections import Edges, One, PageProperty, Selection, Tag, Value, selections_of
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


def page_fields(layout: PageLayout) -> list[str]:
    """Return the fields that a page must have; none if nothing depends on its rows."""
    selections = selections_of(layout.listing)
    has_edges = any(isinstance(part, Edges) for part in layout.listing)
    if not selections and not has_edges and layout.facts <= {PageProperty.TOTAL}:
        return []
    return list(dict.fromkeys([*selected_fields(layout.resource, selections), *(term.field for term in layout.order)]))
