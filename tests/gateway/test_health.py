import asyncio

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from gateway import health
from gateway.health import Check, health_routes


async def well() -> None:
    return None


async def refused() -> None:
    raise ConnectionError("postgresql://gateway:pa55word@db.internal/app refused")


async def hangs() -> None:
    await asyncio.Event().wait()


async def get(path: str, **checks: Check) -> Response:
    app = Starlette(routes=health_routes(checks))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as client:
        return await client.get(path)


async def test_live_answers_whatever_the_parts_do() -> None:
    answer = await get("/health/live", database=Check(refused))

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


async def test_ready_when_all_parts_are_up() -> None:
    answer = await get("/health/ready", database=Check(well), redis=Check(well, required=False))

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "up", "redis": "up"}}


async def test_still_ready_but_degraded_without_an_optional_part() -> None:
    answer = await get("/health/ready", database=Check(well), redis=Check(refused, required=False))

    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "checks": {"database": "up", "redis": "down"}}


async def test_not_ready_without_a_required_part_and_no_word_of_why() -> None:
    answer = await get("/health/ready", database=Check(refused), migrations=Check(well))

    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "checks": {"database": "down", "migrations": "up"}}


async def test_parts_that_hang_are_given_up_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    async with asyncio.timeout(0.2 * 5):
        answer = await get("/health/ready", **{f"part{number}": Check(hangs) for number in range(10)})

    assert answer.status_code == 503
    assert set(answer.json()["checks"].values()) == {"down"}
