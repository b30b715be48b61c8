"""One line for each audit, where this folder is what is tested (`make conformance`)."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """`passed   graphql-http serverAudits   60 checks`."""
    terminalreporter.section("audits")
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            if "test_audit_finds_nothing" in report.nodeid and (report.when == "call" or outcome != "passed"):
                terminalreporter.line(f"{outcome:<8} {_name(report):<34} {_more(report)}".rstrip())


def _name(report: pytest.TestReport) -> str:
    return report.nodeid.partition("[")[2].removesuffix("]")


def _more(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    checks = dict(report.user_properties).get("checks")
    return f"{checks} checks" if checks is not None else ""
