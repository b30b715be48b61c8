"""Which pages may call, and what the log says of those that may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.settings import Settings
from tests.support.apps import client_from, make_app

ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
LOCAL = [
    "http://localhost", "http://localhost:3000", "https://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:3000",
    "http://app.localhost:3000",
]  # fmt: skip
STRANGERS = [
    "https://evil.example", "http://localhost.evil.example", "http://evil.example#localhost", "http://localhost:3000.evil.example",
    "http://127.0.0.1.evil.example", "http://1127.0.0.1", "http://evillocalhost", "null", "http://localhost:3000/", "",
]  # fmt: skip


async def preflight(settings: Settings, origin: str, **changed: Any) -> tuple[Mapping[str, str], list[Any]]:
    """The header fields that answer a preflight request, and what the log says of it."""
    app = make_app(settings.model_copy(update=changed))
    with capture_logs() as logs:
        async with client_from(app) as client:
            answer = await client.options("/api/v1/items", headers={"Origin": origin, **ASKED})
            called = await client.get("/health/live", headers={"Origin": origin})
    allowed = answer.headers.get("access-control-allow-origin")
    assert called.headers.get("access-control-allow-origin") == allowed
    return answer.headers, [each for each in logs if each["event"] == "preflight_refused"]


@pytest.mark.parametrize("origin", LOCAL)
async def test_in_development_pages_from_localhost_may_call(settings: Settings, origin: str) -> None:
    headers, told = await preflight(settings, origin, ENVIRONMENT="development")
    assert (headers["access-control-allow-origin"], told) == (origin, [])


@pytest.mark.parametrize("origin", STRANGERS)
async def test_pages_from_elsewhere_may_not(settings: Settings, origin: str) -> None:
    headers, told = await preflight(settings, origin, ENVIRONMENT="development")
    assert "access-control-allow-origin" not in headers
    assert [(each["reason"], each["origin"], each["asked_method"], each["log_level"]) for each in told] == [
        ("Disallowed CORS origin", origin, "POST", "warning")
    ]
    assert told[0]["hint"] == "BACKEND_CORS_ORIGINS names the origins whose pages may call."


@pytest.mark.parametrize("origins", [[], ["https://app.example"]], ids=["none", "others"])
async def test_elsewhere_pages_from_localhost_may_not(settings: Settings, origins: list[str]) -> None:
    headers, told = await preflight(settings, "http://localhost:3000", BACKEND_CORS_ORIGINS=origins)
    assert "access-control-allow-origin" not in headers
    assert [each["origin"] for each in told] == ["http://localhost:3000"]


async def test_method_that_is_refused_is_told(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"BACKEND_CORS_ORIGINS": ["https://app.example"]}))
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "TRACE"}
    with capture_logs() as logs:
        async with client_from(app) as client:
            await client.options("/api/v1/items", headers=asked)
    (told,) = [each for each in logs if each["event"] == "preflight_refused"]
    assert (told["reason"], told["asked_method"], told["hint"]) == ("Disallowed CORS method", "TRACE", None)


async def test_options_that_is_no_preflight_is_not_told(settings: Settings) -> None:
    with capture_logs() as logs:
        async with client_from(make_app(settings)) as client:
            assert (
                await client.options("/api/v1/items", headers={"Origin": "https://evil.example"})
            ).status_code == 204
    assert {each["event"] for each in logs} <= {"request"}
