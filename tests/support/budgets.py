"""Applications with budgets, and a clock that only a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from gateway.settings import Settings
from services.process.budget.budget import Budget
from tests.support.accounts import Account
from tests.support.apps import Running, running

PER_MINUTE = 600
"""Points of a user, so ten a second; a lease is 30 at the most."""
ANONYMOUS = 300


@dataclass
class Clock:
    """Seconds, for workers and for Redis alike."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def budget_of(app: Running) -> Budget:
    """The budgets of an application."""
    return app.gateway.part(Budget)


@asynccontextmanager
async def budgeted(settings: Settings, clock: Clock, **others: Any) -> AsyncIterator[Running]:
    """An application with small budgets, which the clock refills; another of them is another worker."""
    own = {"BUDGET_PER_MINUTE": PER_MINUTE, "BUDGET_ANONYMOUS_PER_MINUTE": ANONYMOUS, **others}
    async with running(Settings(_env_file=None, **{**settings.model_dump(), **own})) as found:
        budget = budget_of(found)
        budget.clock = budget.buckets.clock = clock
        budget.remembered = 50
        yield found


def left(answer: httpx.Response) -> int:
    """What an answer says is left of the first budget it names."""
    state = answer.headers["ratelimit"].split(", ")[0]
    return int(state.partition(";r=")[2].partition(";")[0])


async def ask(client: httpx.AsyncClient, face: str, account: Account | None, rows: int = 20) -> httpx.Response:
    """A page of items, which costs its rows and a point, through either face."""
    headers = account.headers if account is not None else {}
    if face == "rest":
        return await client.get("/api/v1/items", params={"limit": rows}, headers=headers)
    document = f"{{ items(first: {rows}) {{ nodes {{ id }} }} }}"
    return await client.post("/graphql", json={"query": document}, headers=headers)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The Problem of an answer of either face."""
    body: dict[str, Any] = answer.json()
    found: dict[str, Any] = body["errors"][0]["extensions"] if "errors" in body and "code" not in body else body
    return found


def anywhere() -> str:
    """A network address that nobody has used."""
    return f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
