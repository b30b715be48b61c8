"""Liveness and readiness, for the platform that runs the gateway.

Live means: the process answers. Ready means: the parts that requests cannot do without answer too. A part that requests
can do without (Redis: PostgreSQL answers instead, slower) is reported when it is down but leaves the gateway ready;
taking every replica out of the balancer because a cache is away would turn a slow moment into an outage. The same holds
of a database that cannot be written to for now (`read-only`): reads are answered. One that a newer version has migrated
already (`ahead`) is as good as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.process.shutdown import STOPPING

PROBE_SECONDS: Final = 2.0

log = structlog.get_logger("gateway.health")


@dataclass(frozen=True, slots=True)
class Found:
    """What is said of a part that answers, and whether it can do all that it should."""

    state: str
    is_whole: bool = True


UP: Final = Found("up")
DOWN: Final = Found("down", is_whole=False)


@dataclass(frozen=True, slots=True)
class Check:
    """A part to ask: `probe` returns how it found the part, nothing if it is well, and raises when it is down."""

    probe: Callable[[], Awaitable[Found | None]]
    required: bool = True


def health_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """`/health/live` (always 200) and `/health/ready` (503 while a required check is down, or the server stops)."""

    async def live(request: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def ready(request: Request) -> Response:
        if request.scope.get("state", {}).get(STOPPING):
            return _answer(503, {"status": "stopping"})
        found = await asyncio.gather(*(_found(name, check) for name, check in checks.items()))
        return _answer(*_verdict(dict(zip(checks, found, strict=True)), checks))

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _verdict(found: Mapping[str, Found], checks: Mapping[str, Check]) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body: `ok`, `degraded` (still 200) or `unavailable` (503)."""
    parts = {name: each.state for name, each in found.items()}
    if all(each.is_whole for each in found.values()):
        return 200, {"status": "ok", "checks": parts}
    if all(found[name] is not DOWN for name, check in checks.items() if check.required):
        return 200, {"status": "degraded", "checks": parts}
    return 503, {"status": "unavailable", "checks": parts}


async def _found(name: str, check: Check) -> Found:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await check.probe() or UP
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, the answer is "down"
        log.warning("health check failed", check=name, error=f"{type(error).__name__}: {error}")
        return DOWN


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
