"""Liveness and readiness, for the platform that runs the gateway.

A gateway is live if the process answers, and ready if the parts that requests require answer, too. An optional part
(Redis, in whose place PostgreSQL answers, slower) is reported when it is down, but leaves the gateway ready: taking
every replica out of the balancer for a missing cache would turn slowness into an outage. So does a database that
accepts only reads (`read-only`). A database that a newer version has migrated (`ahead`) counts as whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.process.shutdown import STOPPING

PROBE_SECONDS: Final = 2.0
DOWN: Final = "down"
WHOLE: Final = frozenset({"up", "ahead"})
"""States in which a part can do everything that it should."""

log = structlog.get_logger("gateway.health")


@dataclass(frozen=True, slots=True)
class Check:
    """A part to check: `probe` returns its state, None if it is up, and raises an exception if it is down."""

    probe: Callable[[], Awaitable[str | None]]
    required: bool = True


def health_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """Return `/health/live` (always 200) and `/health/ready` (503 if a required check is down or the server stops)."""

    async def live(request: Request) -> Response:
        return _answer(200, "ok")

    async def ready(request: Request) -> Response:
        if request.scope.get("state", {}).get(STOPPING):
            return _answer(503, "stopping")
        found = await asyncio.gather(*(_state(name, check) for name, check in checks.items()))
        states = dict(zip(checks, found, strict=True))
        if any(states[name] == DOWN and check.required for name, check in checks.items()):
            return _answer(503, "unavailable", checks=states)
        return _answer(200, "ok" if WHOLE.issuperset(found) else "degraded", checks=states)

    return [Route("/health/live", live), Route("/health/ready", ready)]


async def _state(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await check.probe() or "up"
    except Exception as error:  # noqa: BLE001 - with any error the part is down
        log.warning("health check failed", check=name, error=f"{type(error).__name__}: {error}")
        return DOWN


def _answer(code: int, status: str, **more: Mapping[str, str]) -> Response:
    body, headers = orjson.dumps({"status": status, **more}), {"Cache-Control": "no-store"}
    return Response(body, status_code=code, headers=headers, media_type="application/json")
