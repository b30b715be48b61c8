"""Records and pages as REST's JSON."""

from __future__ import annotations

from typing import Any

import orjson

from services.catalogue import Page, Record, Resource, ResultModel, Selection


def record_json(resource: Resource[Any], record: Record, selection: Selection) -> dict[str, Any]:
    """A record's selected fields, and below them its included relations."""
    shown = {name: resource.serialise(name, record[name]) for name in selection.fields}
    for related in selection.relations:
        name, target, found = related.relation.name, related.relation.target, record[related.relation.name]
        if isinstance(found, Page):
            shown[name] = page_json(target, found, related.selection)
        else:
            shown[name] = None if found is None else record_json(target, found, related.selection)
    return shown


def page_json(resource: Resource[Any], page: Page, selection: Selection) -> dict[str, Any]:
    """A list's body: `{"data": […], "page": {"has_next": …, "next": cursor-or-null}}`, with `total` if asked for."""
    about: dict[str, Any] = {"has_next": page.has_next, "next": page.cursors[-1] if page.has_next else None}
    if page.total is not None:
        about["total"] = page.total
    return {"data": [record_json(resource, record, selection) for record in page.records], "page": about}


def result_bytes(
    result: Record | Page | ResultModel, resource: Resource[Any] | None, selection: Selection | None
) -> bytes:
    """What an operation returned, as a JSON body in UTF-8."""
    if isinstance(result, ResultModel):
        return result.model_dump_json().encode()
    assert resource is not None
    assert selection is not None
    if isinstance(result, Page):
        return orjson.dumps(page_json(resource, result, selection))
    return orjson.dumps(record_json(resource, result, selection))
