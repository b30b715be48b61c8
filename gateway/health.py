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
class ReadinessReport:
    """The reported state of a part, and whether the part can do everything that it should."""

    state: str
    is_whole: bool = True


UP: Final = ReadinessReport("up")
DOWN: Final = ReadinessReport("down", is_whole=False)


@dataclass(frozen=True, slots=True)
class Check:
    """A part to check: `probe` returns its state, None if it is up, and raises an exception if it is down."""

    probe: Callable[[], Awaitable[ReadinessReport | None]]
    required: bool = True


def health_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """Return `/health/live` (always 200) and `/health/ready` (503 if a required check is down or the server stops)."""

    async def live(request: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def ready(request: Request) -> Response:
        if request.scope.get("state", {}).get(STOPPING):
            return _answer(503, {"status": "stopping"})
        results = await asyncio.gather(*(_result(name, check) for name, check in checks.items()))
        return _answer(*_verdict(dict(zip(checks, results, strict=True)), checks))

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _verdict(results: Mapping[str, ReadinessReport], checks: Mapping[str, Check]) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the body: `ok`, `degraded` (still 200) or `unavailable` (503)."""
    states = {name: result.state for name, result in results.items()}
    if all(result.is_whole for result in results.values()):
        return 200, {"status": "ok", "checks": states}
    if all(results[name] is not DOWN for name, check in checks.items() if check.required):
        return 200, {"status": "degraded", "checks": states}
    return 503, {"status": "unavailable", "checks": states}


async def _result(name: str, check: Check) -> ReadinessReport:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await check.probe() or UP
    except Exception as error:  # noqa: BLE001 - with any error the part is down
        log.warning("health check failed", check=name, error=f"{type(error).__name__}: {error}")
        return DOWN


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
