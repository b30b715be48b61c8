"""What came out, on the terminal and in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import CASES
from benchmarks.contestants import Running
from benchmarks.growth import Growth
from benchmarks.rounds import Results

HEADINGS = ("req/s", "p50 ms", "p99 ms", "server µs", "PostgreSQL µs", "Valkey µs", "total µs", "to gateway's")

QUIET = 0.1
"""How many cores may be busy with other things before the numbers are doubtful."""


def show(console: Console, servers: Sequence[Running], results: Results) -> None:
    """A table for each case."""
    for case, readings in results.readings.items():
        table = Table(title=f"{case}: {CASES[case]}", title_justify="left")
        table.add_column("server")
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for server in servers:
            if server.kind.name in readings:
                table.add_row(server.kind.title, *row(results, case, server.kind.name))
        console.print(table)
    if results.disturbance() > QUIET:
        console.print(
            f"{results.disturbance():.1f} cores were busy with other things: absolute numbers are too high.",
            style="yellow",
        )


def show_growth(console: Console, growth: Growth) -> None:
    """A line for each series."""
    for what, series in (("sizes", growth.sizes), ("depths", growth.depths), ("workers", growth.workers)):
        for name, numbers in series.items():
            console.print(f"{what:8} {name:20} {'  '.join(f'{number:,.0f}' for number in numbers)}")
    console.print("memory  ", "  ".join(f"{count:,}: {size:.0f} MiB" for count, size in growth.memory))


def row(results: Results, case: str, server: str) -> list[str]:
    """The medians of a server at a case, as they are shown, in the order of HEADINGS."""
    ratio, ratios = results.ratio(case, server), results.ratios(case, server)
    compared = "" if ratio is None else f"{ratio:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
    return [
        f"{results.middle(case, server, lambda each: each.per_second):,.0f}",
        f"{results.middle(case, server, lambda each: each.p50):,.2f}",
        f"{results.middle(case, server, lambda each: each.p99):,.2f}",
        f"{results.middle(case, server, lambda each: each.spent['server']):,.0f}",
        f"{results.middle(case, server, lambda each: each.spent['postgresql']):,.0f}",
        f"{results.middle(case, server, lambda each: each.spent['valkey']):,.0f}",
        f"{results.middle(case, server, lambda each: each.total):,.0f}",
        compared,
    ]


def save(path: Path, content: dict[str, Any]) -> None:
    """Everything that was found, as JSON."""
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
