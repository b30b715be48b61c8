"""What the proof has found, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from gateway.parity.judging.declared import Difference
from gateway.parity.judging.proof import Findings
from gateway.parity.world.callers import ANONYMOUS_ROLE, BOUND_KEY
from gateway.parity.world.world import ROLES
from services.catalogue.problems import PROBLEM_TYPES

MOST_SHOWN: Final = 20
WIDTH: Final = 200
"""Characters that the matrix takes, which is more than a narrow terminal has."""


@dataclass(slots=True)
class Report:
    """The findings, and what is not as it was recorded, and of which resources there were no rows."""

    findings: Findings
    deviations: list[str] = field(default_factory=list)
    unmade: list[str] = field(default_factory=list)

    @property
    def is_green(self) -> bool:
        """Whether all is as it should be."""
        return self.findings.agree and not self.deviations


COLUMNS: Final = (ANONYMOUS_ROLE, *ROLES, BOUND_KEY, "too few scopes", "worthless")
"""Everybody with all scopes, those with too few as one, and credentials that are worth nothing."""


def lines(findings: Findings) -> Iterator[tuple[str, str, list[str]]]:
    """Operation, input and outcome for each of the columns, for every first input."""
    for (operation, case), outcomes in findings.outcomes.items():
        narrow = {label for name, label in outcomes.items() if " without " in name}
        full = [outcomes.get(role, "") for role in (ANONYMOUS_ROLE, *ROLES, BOUND_KEY)]
        worthless = {outcomes[name] for name in ("garbage", "expired token") if name in outcomes}
        yield operation, case, [*full, " ".join(sorted(narrow)), " ".join(sorted(worthless))]


def print_report(console: Console, report: Report) -> None:
    """The matrix, what differs, and the counts."""
    findings = report.findings
    table = Table(box=None, pad_edge=False)
    for name in ("operation", "input", *COLUMNS):
        table.add_column(name, no_wrap=True)
    for operation, case, outcomes in lines(findings):
        table.add_row(operation, case, *(_short(each) for each in outcomes))
    console.print(table)
    for difference in findings.differences[:MOST_SHOWN]:
        console.print(f"\nDIFFERENT: {difference.made}: {difference.way} is not as the services", style="red")
        for label, value in sides(difference):
            console.print(f"  {label}: {value}")
    for sentence in [*findings.faults, *report.deviations]:
        console.print(f"WRONG: {sentence}", style="red")
    for declared, times in findings.deliberate.items():
        console.print(f"Deliberate, {times} times: {declared.name} {declared.reason}")
    for sentence in report.unmade:
        console.print(f"No row was made: {sentence}")
    console.print(summary(report), style="green" if report.is_green else "red")


def summary(report: Report) -> str:
    """One sentence with the counts."""
    found = report.findings
    return (
        f"{found.compared:,} calls on {found.calls / max(found.compared, 1):.1f} ways each ({found.calls:,}) "
        f"of {len({name for name, _ in found.outcomes})} operations in {found.seconds:.1f} s: "
        f"{len(found.differences)} differences, {sum(found.deliberate.values())} deliberate, "
        f"{len(found.faults)} not refused, {len(report.deviations)} not as recorded."
    )


def sides(difference: Difference) -> list[tuple[str, str]]:
    """Where two outcomes differ, and what is there."""
    found = []
    for path in difference.paths[:5]:
        where = ".".join(map(str, path)) or "all"
        for label, outcome in (("services", difference.expected), (difference.way, difference.found)):
            found.append((f"{where}, {label}", _at(outcome.plain(), path)))
    return found


def _at(value: object, path: tuple[str | int, ...]) -> str:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    return orjson.dumps(value).decode()[:500]


def _short(outcomes: str) -> str:
    return " ".join(str(PROBLEM_TYPES[each].status) if each in PROBLEM_TYPES else each for each in outcomes.split())
