"""Rows and pages as REST shows them."""

from __future__ import annotations

from typing import Any, Final

from services.queries.selections import About, Fact, Facts, Listing, Rows, Selection

_PREVIOUS: Final = "previous"


def listing(selection: Selection, *, count: bool) -> Listing:
    """A list's body: `{"data": […], "page": {"has_next": …, "next": cursor-or-null}}`, with `total` if asked for."""
    facts = [Fact("has_next", About.HAS_NEXT), Fact("next", About.NEXT)]
    if count:
        facts.append(Fact("total", About.TOTAL))
    return Rows("data", selection), Facts("page", tuple(facts))


def linked_listing(selection: Selection, *, count: bool) -> Listing:
    """The same with what only a link shows: see `take_previous`."""
    return (*listing(selection, count=count), Fact(_PREVIOUS, About.PREVIOUS))


def take_previous(body: dict[str, Any]) -> str | None:
    """Take the cursor that the page before ends at out of a list's body; null if there is none."""
    cursor: str | None = body.pop(_PREVIOUS)
    return cursor
