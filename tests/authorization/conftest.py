"""What is proved about authorization: by calls in a sandbox, and by a walk through both ways of reading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.parity.judging.proof import Proof
from gateway.parity.report.matrix import Cells, parse, recorded_in
from gateway.settings import Settings
from services.engine.audit.recording import Audit
from tests.conftest import TEMPLATE, with_database
from tests.support.apps import running
from tests.support.databases import run_sql
from tests.support.proving import prepared
from tests.support.reach.pair import Reach
from tests.support.reach.world import build_world
from tests.support.two_paths import cloned_database, on_path, validated_once

PAGE = Path(__file__).parents[2] / "docs" / "authorization.md"


@pytest.fixture(scope="module")
async def proof(settings: Settings, worker: str) -> AsyncIterator[Proof]:
    """A proof of the gateway with its sample."""
    name = f"gateway_parity_{worker}"
    await run_sql(settings.database_url, f"drop database if exists {name} with (force)")
    await run_sql(settings.database_url, f"create database {name} template {TEMPLATE}")
    wanted = Settings(
        _env_file=None, **{**settings.model_dump(), "DATABASE_URL": with_database(settings.database_url, name)}
    )
    async with prepared(wanted) as found:
        yield found
    await run_sql(settings.database_url, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def recorded() -> Cells:
    """The matrix that the documentation shows."""
    return parse(recorded_in(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
async def reach(settings: Settings, worker: str) -> AsyncIterator[Reach]:
    """The world and both ways into it. What a test changes in it, it changes back."""
    async with cloned_database(settings, f"gateway_reach_{worker}") as url, validated_once():
        compiled, general = (on_path(settings, url, compiled=each) for each in (True, False))
        async with running(compiled) as one, running(general) as other:
            # What the walk itself is refused would be in the audit that it walks through.
            for each in (one, other):
                each.gateway.part(Audit).is_on = False
            yield Reach(await build_world(one.gateway), {"compiled": one, "general": other})
