"""Declarations of relations. Their targets are derived from the models' foreign keys (resolving.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from services.catalogue.declaration import Location


@dataclass(frozen=True, slots=True)
class RelationDeclaration:
    """A declared relation: `one("workspace", reverse="items")`, `many("labels", through=ItemLabel)`."""

    name: str
    reverse: str | None
    through: Table | None
    location: Location


def one(name: str, *, reverse: str | None = None) -> RelationDeclaration:
    """Declare the row that the foreign key `{name}_id` refers to; `reverse` names the list on the other side."""
    return RelationDeclaration(name, reverse, None, Location.of_caller())


def many(name: str, *, through: Any, reverse: str | None = None) -> RelationDeclaration:
    """Declare the rows linked by an association table (or its model) with a foreign key to each side."""
    table = through if isinstance(through, Table) else through.__table__
    return RelationDeclaration(name, reverse, table, Location.of_caller())
