"""Rows and pages as REST shows them."""

from __future__ import annotations

from services.catalogue.selections import About, Fact, Facts, Listing, Rows, Selection


def listing(selection: Selection, *, count: bool) -> Listing:
    """A list's body: `{"data": […], "page": {"has_next": …, "next": cursor-or-null}}`, with `total` if asked for."""
    facts = [Fact("has_next", About.HAS_NEXT), Fact("next", About.NEXT)]
    if count:
        facts.append(Fact("total", About.TOTAL))
    return Rows("data", selection), Facts("page", tuple(facts))
