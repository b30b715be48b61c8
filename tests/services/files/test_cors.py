"""Pages of other origins send and fetch the bytes of files."""

from __future__ import annotations

import httpx

from tests.conftest import make_settings
from tests.support.apps import make_app

PAGE = "https://app.example.com"


async def test_pages_may_go_on_sending_and_see_where() -> None:
    app = make_app(make_settings(BACKEND_CORS_ORIGINS=[PAGE]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        asked = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "Content-Range",
        }
        allowed = await client.options("/api/v1/files/fil_0/content", headers=asked)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        assert "content-range" in allowed.headers["access-control-allow-headers"].lower()
        answer = await client.get("/api/v1/nowhere", headers={"Origin": PAGE})
        exposed = set(", ".join(answer.headers.get_list("access-control-expose-headers")).split(", "))
        assert {"Upload-Offset", "Content-Range", "Accept-Ranges", "Content-Disposition"} <= exposed
