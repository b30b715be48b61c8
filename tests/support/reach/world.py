"""The walk's world: its rows in a database, and what each caller should find of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from services.catalogue import Catalogue, Operation, Relation
from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from services.identity.users.models import User
from services.storage.base import Base
from tests.support.reach.callers import OWN_LISTS, Caller, make_callers
from tests.support.reach.rows import MAKERS, UNMARKED, Marked, Row, links


@dataclass(frozen=True)
class World:
    """Rows by the names of their resources, links by the names of their tables, and the callers."""

    catalogue: Catalogue
    rows: Mapping[str, Sequence[Marked]]
    links: Mapping[str, Sequence[Row]]
    callers: Sequence[Caller]

    def caller(self, name: str) -> Caller:
        """The one of this name."""
        return next(each for each in self.callers if each.name == name)

    def of(self, resource: Resource[Any]) -> Sequence[Marked]:
        """All rows of a resource."""
        return self.rows[resource.name]

    def visible(self, caller: Caller, resource: Resource[Any]) -> dict[UUID, Marked]:
        """The rows of a resource that the caller may see."""
        return {each.key: each for each in self.of(resource) if caller.sees(resource.name, each)}

    def foreign(self, caller: Caller, resource: Resource[Any]) -> list[Marked]:
        """Those they may not."""
        return [each for each in self.of(resource) if not caller.sees(resource.name, each)]

    def listed(self, caller: Caller, operation: Operation) -> dict[UUID, Marked]:
        """The rows that a list operation shows."""
        assert operation.resource is not None
        visible = self.visible(caller, operation.resource)
        found = {key: each for key, each in visible.items() if caller.is_in(each.listed or each.group)}
        if operation.name in OWN_LISTS:
            return {each.key: each for each in found.values() if each.values["user_id"] == caller.key}
        return found

    def related(self, caller: Caller, relation: Relation, parent: UUID) -> dict[UUID, Marked]:
        """The rows that a relation of a row shows; of a to-one relation at most one."""
        found = self.visible(caller, relation.target)
        if relation.through is not None:
            pairs = self.links[relation.through.name]
            keys = {each[relation.far] for each in pairs if each[relation.near] == parent}
        elif relation.many:
            keys = {each.key for each in found.values() if each.values[relation.remote] == parent}
        else:
            source = next(each for each in self.of(relation.source) if each.key == parent)
            keys = {source.values[relation.local]}
        return {each: row for each, row in found.items() if each in keys}

    def value(self, caller: Caller, row: Marked, field: str) -> Any:
        """A public field's Python value as the caller sees it."""
        if field in row.guarded and not caller.is_in(row.guarded[field]):
            return None
        return row.derived[field] if field in row.derived else row.values[field]

    def identifiers(self, caller: Caller) -> set[str]:
        """The keys, in hexadecimal, that a caller may come across: of what they see, and of what that refers to."""
        found = set()
        for resource in self.catalogue.resources.values():
            fields = [name for name, kind in resource.fields.items() if kind.identifier]
            rows = self.visible(caller, resource).values()
            found |= {row.values[name].hex for row in rows for name in fields if row.values[name] is not None}
        return found


async def build_world(gateway: Gateway) -> World:
    """Put everything into an empty database."""
    catalogue = gateway.catalogue
    rows = {name: MAKERS[name]() for name in catalogue.resources if name in MAKERS}
    world = World(catalogue, rows, links(), make_callers(gateway))
    assert gaps(world) == []
    by_table = {catalogue.resources[name].table.name: [each.values for each in made] for name, made in rows.items()}
    by_table |= {name: list(pairs) for name, pairs in world.links.items()}
    without = {"users": {"avatar_id": None}}  # Users and files refer to each other.
    async with gateway.database.unit_of_work() as session:
        for table in Base.metadata.sorted_tables:
            if by_table.get(table.name):
                await session.execute(
                    insert(table), [{**row, **without.get(table.name, {})} for row in by_table[table.name]]
                )
        for row in by_table["users"]:
            if row["avatar_id"] is not None:
                known = {name: row[name] for name in ("avatar_id", "updated_at")}
                await session.execute(update(User).where(User.id == row["id"]).values(known))
        await session.commit()
    return world


def gaps(world: World) -> list[str]:
    """What keeps the walk from meaning anything: resources without rows, texts without a mark, unused links."""
    found = []
    for resource in world.catalogue.resources.values():
        rows = world.rows.get(resource.name, ())
        if not rows:
            found.append(f"There are no rows of {resource.name} in the walk's world: add them to reach/rows.py.")
        for name, kind in resource.fields.items():
            if kind.python is not str or kind.many or (resource.name, name) in UNMARKED:
                continue
            texts = [row.values[name] for row in rows if row.values[name] is not None]
            if not texts or not all(text.startswith("secret-") for text in texts):
                found.append(f"{resource.name}.{name} is not marked: let it start with secret(…) in reach/rows.py.")
        through = {each.through.name for each in resource.relations.values() if each.through is not None}
        found += [f"There are no rows of {name} in links() of reach/rows.py." for name in through - set(world.links)]
    return found
