"""What the proof has found, as a page that needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from gateway.parity.report.report import COLUMNS, Report, lines, sides, summary

_TEMPLATE = Path(__file__).parent / "templates" / "parity.html"


def html_report(report: Report) -> str:
    """The matrix with the outcomes in words, and what differs in detail below."""
    head = "".join(f"<th>{escape(each)}</th>" for each in ("operation", "input", *COLUMNS))
    different = {(each.made.operation.name, each.made.case.name) for each in report.findings.differences}
    rows = [
        _row(operation, case, outcomes, differs=(operation, case) in different)
        for operation, case, outcomes in lines(report.findings)
    ]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        summary=escape(summary(report)), colour="good" if report.is_green else "bad", head=head, rows="".join(rows),
        details=_details(report),
    )  # fmt: skip


def _row(operation: str, case: str, outcomes: list[str], *, differs: bool) -> str:
    shown = "".join(f'<td class="{_class(each)}">{escape(each)}</td>' for each in outcomes)
    kind = ' class="differs"' if differs else ""
    return f"<tr{kind}><th>{escape(operation)}</th><td>{escape(case)}</td>{shown}</tr>\n"


def _class(outcome: str) -> str:
    return "ok" if outcome == "ok" else "refused" if outcome else "none"


def _details(report: Report) -> str:
    parts = []
    for each in report.findings.differences:
        values = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in sides(each))
        parts.append(f"<h3>{escape(str(each.made))}: {escape(each.way)}</h3><dl>{values}</dl>\n")
    wrong = [*report.findings.faults, *report.deviations]
    parts += [f"<p class=bad>{escape(each)}</p>\n" for each in wrong]
    parts += [
        f"<p>Deliberate, {times} times: {escape(declared.name)} {escape(declared.reason)}</p>\n"
        for declared, times in report.findings.deliberate.items()
    ]
    return "".join(parts) or "<p>Nothing differs.</p>"
