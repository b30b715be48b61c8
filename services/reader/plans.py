"""Plans: a query's statement and the function that assembles its answer, cached by the shape of the inputs."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache

from services.catalogue.actors import Actor
from services.queries.cursors import CursorCodec
from services.queries.lists import MAX_LIMIT
from services.queries.selections import Query
from services.reader.assembly import Assembly, assembly
from services.reader.shapes import BoundInput
from services.reader.statement import NotCompiledError, build

_ACTOR, _FIXED = -1, -2


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query.

    `parameters` has for each parameter its slot and place, or (-1, attribute of the actor), or (-2, fixed value).
    """

    text: str
    parameters: Sequence[tuple[int, Any]]
    assemble: Assembly
    source: str

    def values(self, slots: Sequence[BoundInput], actor: Actor) -> list[Any]:
        """Return the values of the statement's parameters."""
        return [
            slots[slot].values[place] if slot >= 0 else getattr(actor, place) if slot == _ACTOR else place
            for slot, place in self.parameters
        ]


USUAL: Final = 4_000
"""Characters of a statement that counts as one in the cache; longer ones count as several."""
LONGEST: Final = 20_000
"""Characters of the longest statement that is compiled; longer ones take the general path.

PostgreSQL keeps about 100 bytes a character of each prepared statement, in every backend.
"""


def _weight(plan: Plan | None) -> int:
    return 1 if plan is None else 1 + len(plan.text) // USUAL


class Plans:
    """Compiles plans and caches the `size` most recently used ones.

    A plan is compiled when it is requested for the `sight`th time: a query with ever different filters would otherwise
    fill the cache, and take processing time, with plans that are not used again. No page has more rows than
    `page_size`.
    """

    def __init__(self, cursors: CursorCodec, size: int, *, sight: int = 1, page_size: int = MAX_LIMIT) -> None:
        self._cursors, self._sight, self._page_size = cursors, sight, page_size
        self._remembered: LRUCache[Hashable, Plan | None] = LRUCache(size, getsizeof=_weight)
        self._seen: LRUCache[int, int] = LRUCache(8 * size)

    def find(self, query: Query, slots: Sequence[BoundInput], actor: Actor, *, at_once: bool = False) -> Plan:
        """Return the plan for these inputs and this kind of actor; with `at_once` it is compiled on first use.

        Raises NotCompiledError.
        """
        if query.passing:
            raise NotCompiledError("the query will not come again")
        key = (query, actor.is_admin, *[slot.shape for slot in slots])
        plan = self._remembered.get(key)
        if plan is None:
            if key in self._remembered:
                raise NotCompiledError("it was tried before")
            if not at_once:
                self._wait(hash(key))
            plan = self._remembered[key] = self._made(query, slots, actor)
            if plan is None:
                raise NotCompiledError("too large")
        return plan

    def _wait(self, key: int) -> None:
        times = self._seen.get(key, 0) + 1
        self._seen[key] = times
        if times < self._sight:
            raise NotCompiledError("not seen often enough")

    def _made(self, query: Query, slots: Sequence[BoundInput], actor: Actor) -> Plan | None:
        """Compile a plan; return None if the query is too large for one, which is cached too."""
        try:
            plan = self.make(query, slots, actor)
        except NotCompiledError:
            return None
        finally:
            # Building a statement leaves tens of thousands of objects in cycles, which are otherwise collected late.
            gc.collect(1)
        return plan if len(plan.text) <= LONGEST and _weight(plan) <= self._remembered.maxsize else None

    def make(self, query: Query, slots: Sequence[BoundInput], actor: Actor) -> Plan:
        """Compile a plan, for admins or for others like the actor. Raises NotCompiledError."""
        # An actor without values, so that none can get into the text.
        statement = build(query, slots, Actor(is_admin=actor.is_admin), self._page_size)
        assemble, source = assembly(statement.roots, statement.places, self._cursors)
        prepared = statement.prepared
        if prepared is None:
            return Plan("", (), assemble, source)
        parameters = [_parameter(name, prepared.fixed, slots) for name in prepared.names]
        return Plan(prepared.text, parameters, assemble, source)


_OF_ACTOR = {"actor_id": "user_id", "actor_session_id": "session_id", "actor_workspace_id": "workspace_id"}


def _parameter(name: str, fixed: dict[str, Any], slots: Sequence[BoundInput]) -> tuple[int, Any]:
    if name in _OF_ACTOR:
        return _ACTOR, _OF_ACTOR[name]
    if name in fixed:
        return _FIXED, fixed[name]
    number, _, operand = name.partition("_")
    return int(number), slots[int(number)].place(operand)
