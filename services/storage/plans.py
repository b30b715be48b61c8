"""Plans: a query's statement and the function that assembles its answer, remembered by the shape of the inputs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache

from services.catalogue.actors import Actor
from services.catalogue.cursors import CursorCodec
from services.catalogue.selections import Query
from services.storage.assembly import Assembly, assembly
from services.storage.shapes import Bound
from services.storage.statement import build

_ACTOR, _FIXED = -1, -2


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is read. `parameters` has for each parameter its slot and place, or (-1, name) or (-2, value)."""

    text: str
    parameters: Sequence[tuple[int, Any]]
    assemble: Assembly
    source: str

    def values(self, slots: Sequence[Bound], actor: Actor) -> list[Any]:
        """The values of the statement's parameters."""
        return [
            slots[slot].values[place] if slot >= 0 else getattr(actor, place) if slot == _ACTOR else place
            for slot, place in self.parameters
        ]


USUAL: Final = 10_000
"""Characters of a statement that counts as one of those remembered; longer ones count as several."""


def _weight(plan: Plan) -> int:
    return 1 + len(plan.text) // USUAL


class Plans:
    """Makes plans and remembers the last `size` of them that were used."""

    def __init__(self, cursors: CursorCodec, size: int) -> None:
        self._cursors = cursors
        self._remembered: LRUCache[Hashable, Plan] = LRUCache(size, getsizeof=_weight)

    def find(self, query: Query, slots: Sequence[Bound], actor: Actor) -> Plan:
        """The plan for these inputs and this kind of actor. Raises NotCompiledError."""
        key = (query, actor.is_admin, *[slot.shape for slot in slots])
        found = self._remembered.get(key)
        if found is None:
            found = self.make(query, slots, actor)
            if _weight(found) <= self._remembered.maxsize:
                self._remembered[key] = found
        return found

    def make(self, query: Query, slots: Sequence[Bound], actor: Actor) -> Plan:
        """A plan. The actor matters only in whether it is an admin. Raises NotCompiledError."""
        # Nobody's values get into the text, were it by mistake.
        kind = Actor(is_admin=actor.is_admin)
        statement = build(query, slots, kind)
        assemble, source = assembly(statement.roots, statement.places, self._cursors)
        prepared = statement.prepared
        if prepared is None:
            return Plan("", (), assemble, source)
        parameters = [_parameter(name, prepared.fixed, slots) for name in prepared.names]
        return Plan(prepared.text, parameters, assemble, source)


_OF_ACTOR = {"actor_id": "user_id", "actor_session_id": "session_id", "actor_workspace_id": "workspace_id"}


def _parameter(name: str, fixed: dict[str, Any], slots: Sequence[Bound]) -> tuple[int, Any]:
    if name in _OF_ACTOR:
        return _ACTOR, _OF_ACTOR[name]
    if name in fixed:
        return _FIXED, fixed[name]
    number, _, operand = name.partition("_")
    return int(number), slots[int(number)].place(operand)
