"""What the proof has found, as a page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.parity.report.report import COLUMNS, Report, lines, sides, summary

_TEMPLATES = Path(__file__).parent / "templates"


def html_report(report: Report) -> str:
    """The matrix with the outcomes in words, and what differs in detail below."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return templates.get_template("parity.html").render(
        report=report, summary=summary(report), columns=("operation", "input", *COLUMNS), sides=sides,
        lines=lines(report.findings), wrong=[*report.findings.faults, *report.deviations],
        different={(each.made.operation.name, each.made.case.name) for each in report.findings.differences},
    )  # fmt: skip
