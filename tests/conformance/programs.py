"""Programs of others, and what they print."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
TIMEOUT_SECONDS: Final = 120


async def ran(
    *command: str | Path, folder: str | Path | None = None, environment: dict[str, str] | None = None,
    seconds: float | None = TIMEOUT_SECONDS,
) -> tuple[int, str, str]:  # fmt: skip
    """How a program ends: its code, and what it wrote on either stream. Raises TimeoutError after `seconds`."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


async def printed(*command: str | Path, done: Collection[int] = (0,), **options: Any) -> Any:
    """The JSON that a program prints; it ends with one of the codes `done`. Raises RuntimeError for any other."""
    code, out, err = await ran(*command, **options)
    if code not in done:
        raise RuntimeError(f"{command[0]}: {err[-2000:]}")
    return json.loads(out)
