"""The kept OpenAPI document passes Redocly's strictest rules, where Node is present."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
REDOCLY = HERE / "node_modules" / ".bin" / "redocly"
KEPT = HERE.parents[1] / "rest" / "openapi.json"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not REDOCLY.exists(), reason="@redocly/cli is not installed: make auditors"),
]


def lint(document: Path) -> dict[str, Any]:
    """What the linter says; it is told to reach nobody."""
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    command = [str(REDOCLY), "lint", "--config", str(HERE / "redocly.yaml"), "--format", "json", str(document)]
    done = subprocess.run(
        command, env={**os.environ, **quiet}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode != 0) == (found["totals"]["errors"] > 0)
    return found


def test_kept_document_passes_every_rule() -> None:
    found = lint(KEPT)
    assert [(each["ruleId"], each["message"]) for each in found["problems"]] == []
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


def test_linter_is_awake(tmp_path: Path) -> None:
    broken = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/x": {"get": {"responses": {}}}}}
    (tmp_path / "openapi.json").write_text(json.dumps(broken))
    rules = {each["ruleId"] for each in lint(tmp_path / "openapi.json")["problems"]}
    assert {"security-defined", "operation-operationId", "operation-4xx-response"} <= rules
