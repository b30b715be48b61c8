"""The REST face against its own OpenAPI document, by schemathesis: all checks, right and wrong data, links."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import Final
from uuid import uuid4

import httpx

from tests.conformance.programs import HERE, ran

EXAMPLES: Final = "CONTRACT_EXAMPLES"
"""How many examples are made of each operation, in the environment: beyond those of every day, at length."""
EVERY_DAY: Final = 1
PREFIX: Final = "/api/v1"
_FAILURE: Final = re.compile(r"^- (ST\d+ .*)$", re.MULTILINE)
_GENERATED: Final = re.compile(r"(\d+) generated")


async def tried(url: str) -> tuple[int, list[str]]:
    """How many requests were made of the gateway at `url`, and what was wrong with an answer."""
    examples = int(os.environ.get(EXAMPLES, EVERY_DAY))
    phases = "examples,coverage,fuzzing,stateful" if examples > EVERY_DAY else "examples,fuzzing,stateful"
    async with httpx.AsyncClient(base_url=url) as client:
        tokens = {"CONTRACT_TOKEN": await _token(client), "CONTRACT_SPARE_TOKEN": await _token(client)}
    environment = {**os.environ, **tokens, "SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(HERE)}
    with tempfile.TemporaryDirectory() as folder:
        code, out, err = await ran(
            sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run",
            f"{url}{PREFIX}/openapi.json", "--phases", phases, "--max-examples", str(examples), "--no-color",
            folder=folder, environment=environment, seconds=None,
        )  # fmt: skip
    said = out + err
    made = _GENERATED.search(said)
    if code not in (0, 1) or made is None:
        raise RuntimeError(said[-3000:])
    faults = _FAILURE.findall(said)
    return int(made[1]), [*faults, *([said[-6000:]] if code else [])]


async def _token(client: httpx.AsyncClient) -> str:
    name = f"contract-{uuid4().hex[:12]}"
    given = {"username": name, "email": f"{name}@example.com", "password": "correct horse"}
    made = await client.post(f"{PREFIX}/users", json=given)
    assert made.status_code == 201, made.text
    answer = await client.post(f"{PREFIX}/auth/login", json={"username": name, "password": "correct horse"})
    token: str = answer.json()["access_token"]
    return token
