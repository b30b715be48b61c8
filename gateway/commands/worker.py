"""`gateway worker`: run background jobs."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

import typer

from gateway.embedded import check_reachable, shared_servers
from gateway.logging import configure_logging
from gateway.mail import warn_of_mail
from gateway.migrate import check_migrated
from gateway.runtime import open_gateway
from gateway.settings import Settings, load_settings
from gateway.worker import Worker
from services.catalogue import Catalogue


def worker(
    concurrency: Annotated[int | None, typer.Option(min=2, help="Jobs at once; default: JOBS_CONCURRENCY.")] = None,
) -> None:
    """Run jobs until a signal (SIGTERM, SIGINT). Any number of workers may run, on any number of machines."""
    loaded = load_settings()
    configure_logging(loaded.LOG_LEVEL, loaded.log_format)
    Catalogue.load(loaded.MODULES)
    with shared_servers(loaded) as settings:
        asyncio.run(_work(settings, concurrency))


async def _work(settings: Settings, concurrency: int | None) -> None:
    settings = await check_reachable(settings)
    async with open_gateway(settings, Catalogue.load(settings.MODULES)) as gateway:
        await check_migrated(gateway.database.probe, settings)
        warn_of_mail(settings)
        worker = Worker(gateway, settings, concurrency)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop, worker, number)
        await worker.run()


def _stop(worker: Worker, number: int) -> None:
    """Stop the worker gracefully at the first signal, immediately at the second."""
    if worker.stop.is_set():
        os._exit(128 + number)
    worker.stop.set()
