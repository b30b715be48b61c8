"""The linters are awake: what is wrong with a contract they would find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.audits import Audit
from tests.conformance.linters import graphql_eslint, redocly

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


def skipped_without(package: str) -> pytest.MarkDecorator:
    missing = Audit("", lambda target: graphql_eslint(Path()), package).missing()  # type: ignore[arg-type, return-value]
    return pytest.mark.skipif(missing is not None, reason=str(missing))


@skipped_without("@graphql-eslint/eslint-plugin")
async def test_faults_of_a_schema_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "schema.graphql").write_text(FAULTY)
    assert {rule for rule, _ in await graphql_eslint(tmp_path / "schema.graphql")} >= {
        "naming-convention", "no-typename-prefix", "no-unreachable-types", "relay-arguments", "relay-connection-types",
        "relay-edge-types", "relay-page-info", "require-description", "strict-id-in-types",
    }  # fmt: skip


@skipped_without("@redocly/cli")
async def test_faults_of_a_document_would_be_found(tmp_path: Path) -> None:
    broken = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/x": {"get": {"responses": {}}}}}
    (tmp_path / "openapi.json").write_text(json.dumps(broken))
    rules = {rule for rule, _ in await redocly(tmp_path / "openapi.json")}
    assert {"security-defined", "operation-operationId", "operation-4xx-response"} <= rules
