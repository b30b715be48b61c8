"""A gateway in a process of its own, as an operator runs it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.demo import DEMO_PASSWORD, DEMO_USERNAME
from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
START_SECONDS = 180


@dataclass(frozen=True)
class LiveServer:
    """Where it is, how to sign in, and the process to send signals to."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    username: str = DEMO_USERNAME
    password: str = DEMO_PASSWORD


def free_port() -> int:
    """A TCP port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment of a process."""
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    values = {
        "ENVIRONMENT": settings.ENVIRONMENT,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "DATA_DIR": str(settings.DATA_DIR),
        "FILES_URL": settings.files_url,
        "GRAPHQL_UPLOADS": str(settings.GRAPHQL_UPLOADS),
        "COMPRESSION": str(settings.COMPRESSION),
        "LOG_FORMAT": "json",
        "PASSWORD_HASH_TIME_COST": str(settings.PASSWORD_HASH_TIME_COST),
        "PASSWORD_HASH_MEMORY_KIB": str(settings.PASSWORD_HASH_MEMORY_KIB),
        "LOGIN_ATTEMPTS_PER_ACCOUNT": settings.LOGIN_ATTEMPTS_PER_ACCOUNT,
        "BUDGET_PER_MINUTE": str(settings.BUDGET_PER_MINUTE),
        "BUDGET_ANONYMOUS_PER_MINUTE": str(settings.BUDGET_ANONYMOUS_PER_MINUTE),
        "MAX_HEADER_BYTES": str(settings.MAX_HEADER_BYTES),
        "REQUEST_TIMEOUT_SECONDS": str(settings.REQUEST_TIMEOUT_SECONDS),
        "KEEP_ALIVE_SECONDS": str(settings.KEEP_ALIVE_SECONDS),
        "SHUTDOWN_DRAIN_SECONDS": str(settings.SHUTDOWN_DRAIN_SECONDS),
        "LOGIN_ATTEMPTS_PER_ADDRESS": settings.LOGIN_ATTEMPTS_PER_ADDRESS,
    }
    return {**kept, **values}


@contextmanager
def live_gateway(settings: Settings, *, demo: bool = False, workers: int = 1) -> Iterator[LiveServer]:
    """`gateway serve` on the servers of `settings`; stopped by SIGTERM at the end."""
    port = free_port()
    log = Path(tempfile.mkdtemp(prefix="hg-live-")) / "log"
    command = [str(Path(sys.executable).with_name("gateway")), "serve", "--port", str(port), "--workers", str(workers)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--demo" if demo else "--no-demo"], env=environment(settings), cwd=ROOT, stdout=out, stderr=out
        )
    server = LiveServer(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(log.parent)


def _wait(server: LiveServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if httpx.get(f"{server.url}/health/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the gateway did not start: {server.log.read_text()[-2000:]}")
