"""The world that the walk goes through, and both ways into it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.settings import Settings
from services.engine.audit.recording import Audit
from tests.support.apps import running
from tests.support.reach.pair import Reach
from tests.support.reach.world import build_world
from tests.support.two_paths import cloned_database, on_path, validated_once


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
