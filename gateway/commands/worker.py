"""`gateway worker`: run background jobs."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

import typer

from gateway.commands.running import run_with_gateway
from gateway.logging import configure_logging
from gateway.mail import warn_of_mail
from gateway.migrate import check_migrated
from gateway.settings import Settings, load_settings
from gateway.worker import Worker
from services.engine.gateway import Gateway


def worker(
    concurrency: Annotated[int | None, typer.Option(min=2, help="Jobs at once; default: JOBS_CONCURRENCY.")] = None,
) -> None:
    """Run jobs until a signal (SIGTERM, SIGINT). Any number of workers may run, on any number of machines."""
    loaded = load_settings()
    configure_logging(loaded.LOG_LEVEL, loaded.log_format)

    async def work(gateway: Gateway, settings: Settings) -> None:
        await check_migrated(gateway.database.probe, settings)
        warn_of_mail(settings)
        worker = Worker(gateway, settings, concurrency)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, _stop, worker, number)
        await worker.run()

    run_with_gateway(work)


def _stop(worker: Worker, number: int) -> None:
    """Stop the worker gracefully at the first signal, immediately at the second."""
    if worker.stop.is_set():
        os._exit(128 + number)
    worker.stop.set()
