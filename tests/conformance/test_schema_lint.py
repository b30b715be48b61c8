"""The SDL passes graphql-eslint: the presets schema-all, schema-recommended and schema-relay (eslint.config.mjs)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent
SCHEMA: Final = HERE.parents[1] / "graphql_schema" / "schema.graphql"
ESLINT: Final = HERE / "node_modules" / ".bin" / "eslint"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not ESLINT.exists(), reason="ESLint is not installed (npm ci --prefix tests/conformance --ignore-scripts)"
    ),
]

FAULTY: Final = """
type Query {
  things(first: Int): ThingConnection
  getThing: Thing
}
type Thing {
  id: ID
  thing_name: String
}
type ThingConnection {
  edges: [Thing]
}
type ThingEdge {
  node: [Thing]
  id: ID!
}
type PageInfo {
  hasNextPage: Boolean
}
"""
EXPECTED: Final = {
    "naming-convention", "no-typename-prefix", "no-unreachable-types", "relay-arguments", "relay-connection-types",
    "relay-edge-types", "relay-page-info", "require-description", "strict-id-in-types",
}  # fmt: skip


def lint(folder: Path) -> list[dict[str, Any]]:
    """What ESLint says of `schema.graphql` in a folder."""
    command = [str(ESLINT), "--config", str(HERE / "eslint.config.mjs"), "--format", "json", "schema.graphql"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    (file,) = json.loads(done.stdout)
    found: list[dict[str, Any]] = file["messages"]
    return found


def test_schema_passes_every_rule() -> None:
    assert [f"{each['line']}: {each['ruleId']}: {each['message']}" for each in lint(SCHEMA.parent)] == []


def test_faults_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "schema.graphql").write_text(FAULTY)
    assert {str(each["ruleId"]).removeprefix("@graphql-eslint/") for each in lint(tmp_path)} >= EXPECTED
