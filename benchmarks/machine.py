"""What the numbers were measured on: the machine, and the versions of everything."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from benchmarks import node
from benchmarks.contestants import Running
from benchmarks.database import Servers

_PACKAGES: Final = (
    "fastapi", "starlette", "uvicorn", "uvloop", "strawberry-graphql", "graphql-core", "sqlalchemy", "asyncpg",
    "pydantic", "orjson", "aiodataloader",
)  # fmt: skip
_OF_PEERS: Final = {
    "postgraphile": ("postgraphile", "grafast", "pg"),
    "mercurius": ("mercurius", "graphql-jit", "fastify", "pg"),
    "directus": ("directus",),
}


def machine() -> str:
    """The machine, in a line."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def versions(base: Servers, servers: Sequence[Running]) -> dict[str, str]:
    """Name and version of what took part."""
    found = {"Python": platform.python_version()}
    found["PostgreSQL"] = str(base.fetch("show server_version")[0][0]).split()[0]
    found |= {name: version(name) for name in _PACKAGES}
    peers = [each.kind.name for each in servers if each.kind.name in _OF_PEERS]
    if peers:
        found["Node"] = node.version()
    for peer in peers:
        for package in _OF_PEERS[peer]:
            manifest = node.PEERS / peer / "node_modules" / package / "package.json"
            found[package] = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
