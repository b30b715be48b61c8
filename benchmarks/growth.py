"""How costs grow: with the size of a page, with depth, with workers; and whether memory does with requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop

from benchmarks import load
from benchmarks.cases import Sample
from benchmarks.contestants import Running, gateway, started
from benchmarks.database import Servers
from benchmarks.dialects import GATEWAY, graphql
from benchmarks.processes import resident_bytes
from benchmarks.rounds import Reading, reading_of

SIZES: Final = (1, 10, 25, 50, 100)
DEPTHS: Final = (1, 2, 3, 4, 5)
WORKERS: Final = (1, 2)
WORKERS_CASES: Final = ("single", "list", "nested")
_BLOCK: Final = 50
"""How many documents take turns before others do."""


@dataclass(frozen=True)
class GrowthEffort:
    """How long to look."""

    seconds: float = 1.0
    warm_up: float = 0.7
    rounds: int = 3
    requests: int = 100_000
    documents: int = 10_000
    portions: int = 20


@dataclass
class Growth:
    """CPU-µs of a request by server: for each size, for each depth; answers a second by case; memory."""

    sizes: dict[str, list[float]] = field(default_factory=dict)
    depths: dict[str, list[float]] = field(default_factory=dict)
    workers: dict[str, list[float]] = field(default_factory=dict)
    memory: list[tuple[int, float]] = field(default_factory=list)
    """After so many requests, so many MiB."""

    def as_json(self) -> Any:
        """For the file."""
        return {"sizes": SIZES, "depths": DEPTHS, "workers": WORKERS, "measured": vars(self)}


def look(running: Sequence[Running], servers: Servers, sample: Sample, effort: GrowthEffort) -> Growth:
    """Everything there is to see. The servers in `running` are those whose growth is compared."""
    growth = Growth()
    for server in running:
        dialect = server.kind.dialect
        growth.sizes[server.kind.name] = _costs(server, [dialect.page_of(size) for size in SIZES], effort)
        growth.depths[server.kind.name] = _costs(server, [dialect.tree_of(depth) for depth in DEPTHS], effort)
    growth.workers = _workers(servers, sample, effort)
    growth.memory = _memory(servers, sample, effort)
    return growth


def _costs(server: Running, documents: Sequence[str], effort: GrowthEffort) -> list[float]:
    """The CPU-µs of each document, the lowest of some rounds."""
    readings = [
        [_ask(server, [graphql(document, server.headers)], effort).total for document in documents]
        for _ in range(effort.rounds)
    ]
    return [min(of_document) for of_document in zip(*readings, strict=True)]


def _ask(server: Running, requests: Sequence[bytes], effort: GrowthEffort) -> Reading:
    return reading_of(load.run(server.port, requests, server.spent, seconds=effort.seconds, warm_up=effort.warm_up))


def _workers(servers: Servers, sample: Sample, effort: GrowthEffort) -> dict[str, list[float]]:
    """Answers a second of gateways with so many workers, by case, the most of some rounds."""
    found: dict[str, list[float]] = {case: [] for case in WORKERS_CASES}
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(started(gateway(f"gateway-{count}", "", workers=count), servers, sample))
            for count in WORKERS
        ]
        for case in WORKERS_CASES:
            rounds = [
                [_ask(server, server.requests(case, sample), effort).per_second for server in gateways]
                for _ in range(effort.rounds)
            ]
            found[case] = [max(of_server) for of_server in zip(*rounds, strict=True)]
    return found


def _memory(servers: Servers, sample: Sample, effort: GrowthEffort) -> list[tuple[int, float]]:
    """MiB of a fresh gateway while it is asked with ever other documents, literals written into them.

    A document comes back a few times soon after it was first seen, as from a client that inlines its literals, and then
    never again: each is worth compiling when it is seen, and worth nothing later.
    """
    with started(gateway("gateway-memory", ""), servers, sample) as server:
        documents = [_distinct(number, sample) for number in range(effort.documents)]
        once = [graphql(document, server.headers) for document in documents]
        blocks = [once[start : start + _BLOCK] for start in range(0, len(once), _BLOCK)]
        times = effort.requests // effort.documents
        requests = [request for block in blocks for _ in range(times) for request in block]
        return uvloop.run(_asking(server, requests, effort))


async def _asking(server: Running, requests: Sequence[bytes], effort: GrowthEffort) -> list[tuple[int, float]]:
    client = load.Client(server.port, requests)
    await client.open(load.CONNECTIONS)
    seen, portion = [], effort.requests // effort.portions
    try:
        for number in range(effort.portions + 1):
            seen.append((number * portion, resident_bytes(server.process) / 2**20))
            if number < effort.portions:
                await client.ask_times(portion)
                await asyncio.sleep(0.1)
    finally:
        client.close()
    return seen


def _distinct(number: int, sample: Sample) -> str:
    """A document that differs from all others by the row it names or by an alias."""
    key = GATEWAY.item_id(sample.items[number % len(sample.items)])
    return (
        f'{{ a{number}: item(id: "{key}") {{ id title status creator {{ username }}'
        f" comments(first: 5) {{ nodes {{ body }} }} }} }}"
    )
