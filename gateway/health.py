"""Liveness and readiness, for the platform that runs the gateway.

Live means: the process answers. Ready means: the parts that requests cannot do without answer too. A part that requests
can do without (Redis: PostgreSQL answers instead, slower) is reported when it is down but leaves the gateway ready;
taking every replica out of the balancer because a cache is away would turn a slow moment into an outage.
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

from services.shutdown import STOPPING

PROBE_SECONDS: Final = 2.0

log = structlog.get_logger("gateway.health")


@dataclass(frozen=True, slots=True)
class Check:
    """A part to ask: `probe` returns when the part is well and raises when it is not."""

    probe: Callable[[], Awaitable[object]]
    required: bool = True


def health_routes(checks: Mapping[str, Check]) -> list[BaseRoute]:
    """`/health/live` (always 200) and `/health/ready` (503 while a required check is down, or the server stops)."""

    async def live(request: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def ready(request: Request) -> Response:
        if request.scope.get("state", {}).get(STOPPING):
            return _answer(503, {"status": "stopping"})
        wells = await asyncio.gather(*(_is_up(name, check) for name, check in checks.items()))
        up = dict(zip(checks, wells, strict=True))
        return _answer(*_verdict(up, checks))

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _verdict(up: Mapping[str, bool], checks: Mapping[str, Check]) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body: `ok`, `degraded` (still 200) or `unavailable` (503)."""
    parts = {name: "up" if well else "down" for name, well in up.items()}
    if all(up.values()):
        return 200, {"status": "ok", "checks": parts}
    if all(up[name] for name, check in checks.items() if check.required):
        return 200, {"status": "degraded", "checks": parts}
    return 503, {"status": "unavailable", "checks": parts}


async def _is_up(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await check.probe()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, the answer is "down"
        log.warning("health check failed", check=name, error=f"{type(error).__name__}: {error}")
        return False
    return True


def _answer(status: int, body: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
