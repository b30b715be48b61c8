"""The part of docs/performance.md that is written by a run; what stands around it is written by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import growth as growing
from benchmarks.cases import CASES
from benchmarks.chart import chart
from benchmarks.contestants import Running
from benchmarks.growth import Growth
from benchmarks.report import HEADINGS, row
from benchmarks.rounds import Results

PAGE: Final = Path("docs/performance.md")
CHART: Final = Path("docs/performance.svg")
_BEGIN: Final = "<!-- results: written by `make bench` -->"
_END: Final = "<!-- end of results -->"
_BEGIN_PLANS: Final = "<!-- plans: written by `python -m benchmarks.explain` -->"
_END_PLANS: Final = "<!-- end of plans -->"


def write(
    servers: Sequence[Running], results: Results, growth: Growth | None, machine: str, versions: dict[str, str]
) -> None:
    """Put the results in place of the last ones, and draw the chart."""
    CHART.write_text(chart(results, [each.kind.name for each in servers]), encoding="utf-8")
    lines = [
        f"Measured with `make bench` on {machine}.",
        "",
        f"Versions: {', '.join(f'{name} {number}' for name, number in versions.items())}.",
        "",
        "![CPU time of a request](performance.svg)",
        "",
        *_cases(servers, results),
        *(_growth(growth) if growth else []),
    ]
    _replace(_BEGIN, lines, _END)


def write_plans(plans: Mapping[str, Sequence[str]]) -> None:
    """Put what PostgreSQL does for each case in place of the last plans."""
    lines = []
    for title, plan in plans.items():
        lines += [f"### {title}", "", "```", *plan, "```", ""]
    _replace(_BEGIN_PLANS, lines, _END_PLANS)


def _replace(begin: str, lines: Iterable[str], end: str) -> None:
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Performance\n\n"
    if begin not in text:
        text += f"\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text("\n".join([f"{before}{begin}", "", *lines, f"{end}{after}"]), encoding="utf-8")


def _cases(servers: Sequence[Running], results: Results) -> list[str]:
    lines = []
    for case, readings in results.readings.items():
        of_case = [each for each in servers if each.kind.name in readings]
        rows = ([each.kind.title, *row(results, case, each.kind.name)] for each in of_case)
        lines += [f"### `{case}`: {CASES[case]}", "", *_table(["", *HEADINGS], rows)]
    return lines


def _growth(growth: Growth) -> list[str]:
    return [
        "### Growth with the size of a page (total CPU-µs)", "",
        *_table(["items", *map(str, growing.SIZES)], _by_server(growth.sizes)),
        "### Growth with depth: 20 items, and up to 5 children of each at every level (total CPU-µs)", "",
        *_table(["levels", *map(str, growing.DEPTHS)], _by_server(growth.depths)),
        "### Growth with workers (requests a second)", "",
        *_table(["workers", *map(str, growing.WORKERS)], _by_server(growth.workers)),
        "### Memory of the gateway (MiB, resident)", "",
        *_table(["requests", "MiB"], ([f"{count:,}", f"{size:.0f}"] for count, size in growth.memory)),
    ]  # fmt: skip


def _by_server(numbers: dict[str, list[float]]) -> Iterable[list[str]]:
    return ([name, *(f"{number:,.0f}" for number in row)] for name, row in numbers.items())


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows]), ""]
