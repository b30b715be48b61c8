"""The findings of the proof as a self-contained HTML page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from gateway.parity.report.report import COLUMNS, Report, lines, sides, summary

_TEMPLATE = Path(__file__).parent / "templates" / "parity.html"


def html_report(report: Report) -> str:
    """Return the page: the matrix with the outcomes in words, and the differences in detail."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("operation", "input", *COLUMNS))
    made = [difference.made for difference in report.findings.differences]
    differing = {(call.operation.name, call.case.name) for call in made}
    rows = [
        _row(operation, case, outcomes, differs=(operation, case) in differing)
        for operation, case, outcomes in lines(report.findings)
    ]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        summary=escape(summary(report)), colour="good" if report.is_green else "bad", head=head, rows="".join(rows),
        details=_details(report),
    )  # fmt: skip


def _row(operation: str, case: str, outcomes: list[str], *, differs: bool) -> str:
    cells = "".join(f'<td class="{_class(outcome)}">{escape(outcome)}</td>' for outcome in outcomes)
    kind = ' class="differs"' if differs else ""
    return f"<tr{kind}><th>{escape(operation)}</th><td>{escape(case)}</td>{cells}</tr>\n"


def _class(outcome: str) -> str:
    return "ok" if outcome == "ok" else "refused" if outcome else "none"


def _details(report: Report) -> str:
    parts = []
    for difference in report.findings.differences:
        values = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in sides(difference))
        parts.append(f"<h3>{escape(str(difference.made))}: {escape(difference.way)}</h3><dl>{values}</dl>\n")
    wrong = [*report.findings.faults, *report.deviations]
    parts += [f"<p class=bad>{escape(sentence)}</p>\n" for sentence in wrong]
    parts += [
        f"<p>Deliberate, {times} times: {escape(declared.name)} {escape(declared.reason)}</p>\n"
        for declared, times in report.findings.deliberate.items()
    ]
    return "".join(parts) or "<p>Nothing differs.</p>"
