"""`python -m benchmarks.explain`: what PostgreSQL does for the gateway's statements, on the benchmark's rows."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final
from uuid import UUID

import asyncpg

from benchmarks.cases import Sample, sample
from benchmarks.database import DATABASE, Servers, running
from benchmarks.dialects import GATEWAY
from benchmarks.pages import write_plans
from gateway.commands.explain import read_of_document, read_of_operation
from gateway.settings import DEFAULT_MODULES
from services.catalogue import Actor, Catalogue
from services.reader.plans import Plan
from services.reader.shapes import BoundInput
from services.storage.database import SERVER_SETTINGS

WARM: Final = 5
_TELLING: Final = re.compile(r"Scan|actual|Sort Key|Index Cond|Memoize|One-Time|never executed|Execution Time")


def main() -> None:
    """Explain each read case, for the actor in 5 workspaces and the one in all, into docs/performance.md."""
    catalogue = Catalogue.load(DEFAULT_MODULES)
    with running() as servers:
        chosen = sample(servers)
        found = {
            f"{case}, {who}": asyncio.run(_explain(servers, plan, slots, actor))
            for case, (plan, slots) in _plans(catalogue, chosen).items()
            for who, actor in (("5 workspaces", chosen.actor), ("all 200", chosen.everywhere))
        }
    for title, lines in found.items():
        print(f"\n{title}\n" + "\n".join(lines))  # noqa: T201 - what the command is for
    write_plans(found)


def _plans(catalogue: Catalogue, chosen: Sample) -> dict[str, tuple[Plan, list[BoundInput]]]:
    actor = Actor()
    documents = {
        case: read_of_document(catalogue, GATEWAY.documents[case], actor) for case in ("list", "nested", "deep")
    }
    operation = catalogue.operations["get_item"]
    single = read_of_operation(catalogue, operation, "fields=id,title,status", actor, chosen.items[0])
    assert single is not None
    return {"single": single, **documents}


async def _explain(servers: Servers, plan: Plan, slots: list[BoundInput], user: UUID) -> list[str]:
    connection = await asyncpg.connect(servers.url(DATABASE), server_settings=SERVER_SETTINGS)
    try:
        values = plan.values(slots, Actor(user))
        for _ in range(WARM):
            await connection.fetch(plan.text, *values)
        await connection.execute(f"prepare explained as {plan.text}")
        call = f"execute explained({', '.join(map(_literal, values))})"
        rows = await connection.fetch(f"explain (analyze, costs off, timing off, buffers off) {call}")
    finally:
        await connection.close()
    return [row[0] for row in rows if _TELLING.search(row[0])]


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else f"'{value}'"


if __name__ == "__main__":
    main()
