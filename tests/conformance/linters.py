"""What others' linters say of the kept contracts: programs from npm, which are told to reach nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from tests.conformance.programs import HERE, printed

SCHEMA: Final = HERE.parents[1] / "graphql_schema" / "schema.graphql"
DOCUMENT: Final = HERE.parents[1] / "rest" / "openapi.json"
_QUIET: Final = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


async def graphql_eslint(schema: Path) -> list[tuple[str, str]]:
    """What @graphql-eslint finds in an SDL (eslint.config.mjs): the rule, and what it says."""
    config = HERE / "eslint.config.mjs"
    (file,) = await _said("eslint", "--config", str(config), "--format", "json", schema.name, folder=schema.parent)
    return [(str(each["ruleId"]).removeprefix("@graphql-eslint/"), each["message"]) for each in file["messages"]]


async def redocly(document: Path) -> list[tuple[str, str]]:
    """What @redocly/cli finds in an OpenAPI document (redocly.yaml): the rule, and what it says."""
    config = HERE / "redocly.yaml"
    found = await _said("redocly", "lint", "--config", str(config), "--format", "json", str(document), folder=HERE)
    assert found["totals"]["ignored"] == 0
    return [(each["ruleId"], each["message"]) for each in found["problems"]]


async def _said(program: str, *arguments: str, folder: Path) -> Any:
    path = HERE / "node_modules" / ".bin" / program
    return await printed(path, *arguments, folder=folder, environment={**os.environ, **_QUIET}, done=(0, 1))
