"""Reads may go to another address than writes."""

from __future__ import annotations

from pydantic import SecretStr

from gateway.settings import Settings
from tests.support.accounts import sign_up
from tests.support.apps import running

NOWHERE = SecretStr("postgresql://nobody:secret@127.0.0.1:9/none")


async def test_reads_go_to_the_address_for_reading(settings: Settings) -> None:
    changed = {"DATABASE_READ_URL": NOWHERE, "COMPILED_READS": True}
    async with running(settings.model_copy(update=changed)) as found:
        ada = await sign_up(found.client)
        for name in ("rest", "graphql"):
            face = found.face(name)
            made = await face.ok("create_item", ada, {"title": "Wheel"})
            assert made["title"] == "Wheel"
            answer = await face.call("get_item", ada, id=made["id"])
            assert (answer.problem, answer.status) == ("unavailable", 503)
        ready = await found.client.get("/health/ready")
    up = {"database": "up", "migrations": "up", "redis": "up", "reads": "down"}
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "checks": up})


async def test_reads_by_the_other_address_are_those_that_were_written(settings: Settings) -> None:
    changed = {"DATABASE_READ_URL": settings.DATABASE_URL, "COMPILED_READS": True}
    async with running(settings.model_copy(update=changed)) as found:
        ada = await sign_up(found.client)
        face = found.face("rest")
        made = await face.ok("create_item", ada, {"title": "Wheel"})
        assert await face.ok("get_item", ada, id=made["id"]) == made
        ready = await found.client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["reads"]) == (200, "up")
