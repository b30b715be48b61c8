"""Where a walk starts that starts at rows."""

from __future__ import annotations

from typing import Any, Final

from services.catalogue.naming import pascal
from tests.support.reach.callers import Caller
from tests.support.reach.documents import SEVERAL
from tests.support.reach.world import World

HOMES: Final = {"outsider": "beta", "left": "oflou"}
"""Where the rows are from that these start at by an identifier; the others start in the shared workspace."""


def started_at(world: World, caller: Caller) -> dict[str, Any]:
    """The variables of documents: of each resource a row of the caller's, and some of everybody's, theirs first."""
    found: dict[str, Any] = {}
    home = {HOMES.get(caller.name, "shared"), f"device{caller.person}"}
    for resource in world.catalogue.resources.values():
        rows = sorted(world.of(resource), key=lambda row: row.group not in home and row.key != caller.key)
        first = {row.group: row.key for row in reversed(rows)}.values()
        several = dict.fromkeys([*(row.key for row in rows[:3]), *first, *(row.key for row in rows)])
        found[pascal(resource.name)] = resource.encode(rows[0].key)
        found[f"{pascal(resource.name)}s"] = [resource.encode(key) for key in list(several)[:SEVERAL]]
    return found
