"""Run the action of a command with an open gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.embedded import check_reachable, shared_servers
from gateway.errors import SettingsError
from gateway.runtime import open_gateway
from gateway.settings import Settings, load_settings
from services.catalogue import Catalogue, Problem
from services.engine.gateway import Gateway

T = TypeVar("T")


def run_with_gateway(action: Callable[[Gateway, Settings], Awaitable[T]]) -> T:
    """Run an action on the servers of the settings, or embedded ones. Raises SettingsError, for Problems too."""
    loaded = load_settings()
    catalogue = Catalogue.load(loaded.MODULES)

    async def run(settings: Settings) -> T:
        reached = await check_reachable(settings)
        async with open_gateway(reached, catalogue) as gateway:
            return await action(gateway, reached)

    with shared_servers(loaded) as settings:
        try:
            return asyncio.run(run(settings))
        except Problem as problem:
            raise SettingsError(problem.detail) from None
