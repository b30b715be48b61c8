"""Changes everything that can be sorted by in rows of some groups, and puts it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import update

from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from tests.support.reach.rows import Marked
from tests.support.reach.world import World


@asynccontextmanager
async def shaken(gateway: Gateway, world: World, groups: Collection[str]) -> AsyncIterator[int]:
    """Other values in the rows and the guarded fields of the groups while the block lasts; how many rows that are."""
    changed = []
    for resource in world.catalogue.resources.values():
        for number, row in enumerate(world.of(resource)):
            whole = row.group in groups
            # What is derived is no column, and changes with what it is derived from.
            guarded = {name for name, group in row.guarded.items() if group in groups and name not in row.derived}
            names = {name for name in resource.sorts if whole} | guarded
            values = {name: _other(row.values[name], number) for name in names}
            if values and "updated_at" in row.values:
                # Whoever changes a guarded field says that the row was changed, if not what.
                values.setdefault("updated_at", row.values["updated_at"])
            if values:
                changed.append((resource, row, values))
    await _write(gateway, changed)
    try:
        yield len(changed)
    finally:
        await _write(gateway, [(r, row, {name: row.values[name] for name in values}) for r, row, values in changed])


async def _write(gateway: Gateway, changed: list[tuple[Resource[Any], Marked, dict[str, Any]]]) -> None:
    async with gateway.database.unit_of_work() as session:
        for resource, row, values in changed:
            await session.execute(update(resource.table).where(resource.table.c.id == row.key).values(values))
        await session.commit()


def _other(value: Any, number: int) -> Any:
    """Another value of the kind, for some rows before and for some behind where it was."""
    if isinstance(value, StrEnum):
        members = list(type(value))
        return members[(members.index(value) + 1) % len(members)]
    if isinstance(value, str):
        return f"{'az'[number % 2]}{value}"
    if isinstance(value, datetime):
        return value + timedelta(days=400 * (-1) ** number)
    return 4 - value if isinstance(value, int) else None
