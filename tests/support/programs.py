"""Programs of the project: in this process where that shows the same, in one of their own where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.settings import Settings

ROOT = Path(__file__).parents[2]
START_SECONDS = 180


def gateway_command(*arguments: str, env: Mapping[str, str], stdin: str | None = None) -> Result:
    """Run `gateway …` in this process, with these settings and no others."""
    cleared: dict[str, str | None] = dict.fromkeys(Settings.model_fields)
    return CliRunner().invoke(app, list(arguments), env={**cleared, **env}, input=stdin)


def environment_with(values: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if name not in Settings.model_fields}
    return {**kept, **values}


def run(*command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program of this Python (`python`, `uvicorn`, `gateway`) to its end."""
    return subprocess.run(
        [_path(command[0]), *command[1:]], env=environment_with(env), cwd=ROOT,
        capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip


@contextmanager
def started(*command: str, env: Mapping[str, str], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers at the address `ready`; killed at the end if it is still there."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [_path(command[0]), *command[1:]], env=environment_with(env), cwd=ROOT, stdout=out, stderr=out
        )
    try:
        _wait(process, log, ready)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _path(name: str) -> str:
    """Of a program of this Python by its name, of any other by its path."""
    return name if "/" in name else str(Path(sys.executable).with_name(name))


def _wait(process: subprocess.Popen[bytes], log: Path, ready: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(ready, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"{ready} does not answer: {log.read_text()[-2000:]}")
