"""The world and the two ways into it, and what the requests that went through them came to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter, process_time
from typing import Any, Final

import orjson
from graphql import GraphQLSchema

from graphql_schema.schema.schema import build_schema
from services.reader.statement import MAX_PARTS
from tests.support.apps import Running
from tests.support.asgi import Reply, observed, request
from tests.support.reach.callers import Caller
from tests.support.reach.scan import Scan
from tests.support.reach.world import World

PATHS: Final = ("compiled", "general")
PARTS: Final = {"compiled": 8, "general": MAX_PARTS}
"""Relations and lists of a question that is answered on each of the ways, at most.

The statements of most questions with more parts are longer than what is compiled (services.reader.plans.LONGEST).
"""


@dataclass
class Tally:
    """What was asked, on which way it was answered, and what was found."""

    paths: int = 0
    """Of the schema's graph, of every length."""
    requests: int = 0
    compiled: int = 0
    general: int = 0
    checked: int = 0
    """Rows and lists that were compared with what should be there."""
    faults: list[str] = field(default_factory=list)

    def stayed_on(self, way: str) -> bool:
        """Whether most was read on this way. Who may not read all that they ask for is answered on the general one."""
        return self.compiled > self.general if way == "compiled" else self.compiled == 0

    def tell(self, what: str, seconds: float, busy: float) -> None:
        """A line for whoever runs with REACH_REPORT=1; `busy` are seconds of this process's own work."""
        if os.environ.get("REACH_REPORT"):
            found = f"{self.paths} paths, {self.requests} requests ({self.compiled} compiled), {self.checked} checks"
            sys.stderr.write(f"\n{what}: {found}, {seconds:.1f} s ({busy:.1f} s busy)\n")


@dataclass(frozen=True)
class Reach:
    """The world, and the applications by the way in which they read."""

    world: World
    ways: Mapping[str, Running]

    @cached_property
    def schema(self) -> GraphQLSchema:
        """The schema that both serve."""
        return build_schema(self.world.catalogue)._schema

    @cached_property
    def _scans(self) -> dict[str, Scan]:
        return {each.name: Scan(self.world, each) for each in self.world.callers}

    async def graphql(
        self, way: str, caller: Caller, query: str, variables: Mapping[str, Any], tally: Tally
    ) -> dict[str, Any]:
        """The answer to a document; what it leaks is put down as a fault."""
        body = orjson.dumps({"query": query, "variables": variables})
        reply = await self.send(way, caller, "POST", "/graphql", tally, content=body)
        found: dict[str, Any] = reply.json()
        return found

    async def rest(
        self, way: str, caller: Caller, path: str, tally: Tally, query: str = "", method: str = "GET",
        content: bytes = b"",
    ) -> Reply:  # fmt: skip
        """The answer to a request below /api/v1; what it leaks is put down as a fault."""
        return await self.send(way, caller, method, f"/api/v1{path}", tally, query=query, content=content)

    async def send(
        self, way: str, caller: Caller, method: str, path: str, tally: Tally, *, query: str = "", content: bytes = b""
    ) -> Reply:
        """One request, looked through."""
        headers = {**caller.headers, "Content-Type": "application/json"}
        with observed() as seen:
            app = self.ways[way].app
            reply = await request(app, method, path, query=query.encode(), headers=headers, content=content)
        tally.requests += 1
        tally.compiled += bool(seen) and seen[0].path == "compiled"
        tally.general += bool(seen) and seen[0].path == "general"
        asked = f"{method} {path}?{query} {content.decode()}"
        leaks = self._scans[caller.name].leaks(reply, asked)
        tally.faults += [f"{caller.name}, {way}: {each}, by {asked[:2_000]}" for each in leaks]
        if reply.status >= 500:
            tally.faults.append(f"{caller.name}, {way}: {reply.status} by {asked[:2_000]}")
        return reply


@contextmanager
def tallied(what: str) -> Iterator[Tally]:
    """A tally, told at the end."""
    tally, start, busy = Tally(), perf_counter(), process_time()
    yield tally
    tally.tell(what, perf_counter() - start, process_time() - busy)
