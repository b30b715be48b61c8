"""A proof of what the faces and the services have in common, in a sandbox over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.logging import configure_logging
from gateway.parity.judging.proof import Proof
from gateway.parity.world.making import make_world
from gateway.parity.world.places import proof_settings
from gateway.parity.world.sandbox import sandbox
from gateway.runtime import open_gateway
from gateway.settings import Settings
from services.catalogue import Catalogue


@asynccontextmanager
async def prepared(settings: Settings) -> AsyncIterator[Proof]:
    """A proof of the catalogue of these settings, over their database, in which a world is made."""
    wanted = proof_settings(settings)
    catalogue = Catalogue.load(wanted.MODULES)
    try:
        async with open_gateway(wanted, catalogue) as gateway:
            world = await make_world(gateway)
        assert world.unmade == [], world.unmade
        async with sandbox(wanted, catalogue) as found:
            yield Proof(found, world)
            found.renew()
    finally:
        # The proof writes no access lines; the other tests of this process want theirs.
        configure_logging(settings.LOG_LEVEL, settings.log_format)
