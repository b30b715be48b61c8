"""Relations as authors declare them. What they lead to is read off the models' foreign keys (resolving.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from services.catalogue.declaration import Location


@dataclass(frozen=True, slots=True)
class RelationDeclaration:
    """What an author writes: `one("workspace", reverse="items")`, `many("labels", through=ItemLabel)`."""

    name: str
    many: bool
    reverse: str | None
    through: Table | None
    location: Location


def one(name: str, *, reverse: str | None = None) -> RelationDeclaration:
    """The row that the foreign key `{name}_id` points at; `reverse` names the list on the other side."""
    return RelationDeclaration(name, False, reverse, None, Location.of_caller())


def many(name: str, *, through: Any, reverse: str | None = None) -> RelationDeclaration:
    """The rows linked by an association table with a foreign key to each side (a table, or a model mapped to one)."""
    table = through if isinstance(through, Table) else through.__table__
    return RelationDeclaration(name, True, reverse, table, Location.of_caller())
