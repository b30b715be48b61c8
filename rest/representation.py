"""Rows and pages as REST shows them: what is asked of the services for them, and what is made of the answer."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from services.queries.selections import Listing, PageObject, PageProperty, PageValue, Rows, Selection, Tag

_PREVIOUS: Final = "previous"
_TAG: Final = "@etag"


class Representation(NamedTuple):
    """What an answer shows: its body, and beside it a row's entity tag, or the cursors that lead to other pages."""

    body: dict[str, Any]
    tag: str | None = None
    next: str | None = None
    previous: str | None = None


def listing(selection: Selection, *, count: bool) -> Listing:
    """A list's body: `{"data": […], "page": {"has_next": …, "next": cursor-or-null}}`, with `total` if asked for."""
    facts = [PageValue("has_next", PageProperty.HAS_NEXT), PageValue("next", PageProperty.NEXT)]
    if count:
        facts.append(PageValue("total", PageProperty.TOTAL))
    return Rows("data", selection), PageObject("page", tuple(facts))


def linked_listing(selection: Selection, *, count: bool) -> Listing:
    """The same of a list whose neighbouring pages are linked to: see `page_of`."""
    return (*listing(selection, count=count), PageValue(_PREVIOUS, PageProperty.PREVIOUS))


def page_of(found: dict[str, Any]) -> Representation:
    """The representation of a `linked_listing`."""
    page = found["page"]
    return Representation({"data": found["data"], "page": page}, next=page["next"], previous=found[_PREVIOUS])


def tagged(selection: Selection) -> Selection:
    """A selection with the row's tag, whatever is shown of it: see `row_of`."""
    return Selection((*selection.members, Tag(_TAG)))


def row_of(found: dict[str, Any]) -> Representation:
    """The representation of a `tagged` row."""
    return Representation({name: value for name, value in found.items() if name != _TAG}, found[_TAG])
