"""Print the findings of the proof to a terminal, or write them into an HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from gateway.parity.judging import measured
from gateway.parity.judging.declared import Difference
from gateway.parity.judging.proof import Findings
from services.catalogue.problems import PROBLEM_TYPES

MOST_SHOWN: Final = 20
_TEMPLATES: Final = Path(__file__).parent / "templates"
WIDTH: Final = 200
"""The width of the matrix in characters; narrow terminals have fewer."""


COLUMNS: Final = (*measured.COLUMNS, "too few scopes", "worthless")
"""The callers with all scopes; those that lack one, together; and invalid credentials."""


def lines(findings: Findings) -> Iterator[tuple[str, str, list[str]]]:
    """Yield operation, input and the outcome for each column, for every recorded input."""
    for (operation, case), outcomes in findings.outcomes.items():
        narrow = {label for name, label in outcomes.items() if " without " in name}
        full = [outcomes.get(role, "") for role in measured.COLUMNS]
        worthless = {outcomes[name] for name in ("garbage", "expired token") if name in outcomes}
        yield operation, case, [*full, " ".join(sorted(narrow)), " ".join(sorted(worthless))]


def print_report(console: Console, findings: Findings) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("operation", "input", *COLUMNS):
        table.add_column(name, no_wrap=True)
    for operation, case, outcomes in lines(findings):
        table.add_row(operation, case, *map(_short, outcomes))
    console.print(table)
    for difference in findings.differences[:MOST_SHOWN]:
        console.print(f"\nDIFFERENT: {difference.made}: {difference.way} is not as the services", style="red")
        for label, value in sides(difference):
            console.print(f"  {label}: {value}")
    for sentence in [*findings.faults, *findings.deviations]:
        console.print(f"WRONG: {sentence}", style="red")
    for declared, times in findings.deliberate.items():
        console.print(f"Deliberate, {times} times: {declared.name} {declared.reason}")
    for sentence in findings.unmade:
        console.print(f"No row was made: {sentence}")
    console.print(summary(findings), style="green" if findings.agree else "red")


def summary(findings: Findings) -> str:
    return (
        f"{findings.compared:,} calls on {findings.calls / max(findings.compared, 1):.1f} ways each "
        f"({findings.calls:,}) "
        f"of {len({name for name, _ in findings.outcomes})} operations in {findings.seconds:.1f} s: "
        f"{len(findings.differences)} differences, {findings.deliberate.total()} deliberate, "
        f"{len(findings.faults)} not refused, {len(findings.deviations)} not as recorded."
    )


def sides(difference: Difference) -> list[tuple[str, str]]:
    """Return the first five places where two outcomes differ, labelled, with the values there."""
    return [
        (f"{'.'.join(map(str, path)) or 'all'}, {way}", orjson.dumps(value).decode()[:500])
        for path, values in list(difference.places.items())[:5]
        for way, value in zip(("services", difference.way), values, strict=True)
    ]


def html_report(findings: Findings) -> str:
    """Return a page with the matrix, the outcomes in words, and the details of what differs."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return templates.get_template("parity.html").render(
        findings=findings, summary=summary(findings), columns=("operation", "input", *COLUMNS), sides=sides,
        lines=lines(findings), wrong=[*findings.faults, *findings.deviations],
        different={(each.made.operation.name, each.made.case.name) for each in findings.differences},
    )  # fmt: skip


def _short(outcomes: str) -> str:
    return " ".join(str(PROBLEM_TYPES[word].status) if word in PROBLEM_TYPES else word for word in outcomes.split())
