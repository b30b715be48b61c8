"""`python -m benchmarks`: measure, and write down what came out."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from subprocess import CalledProcessError
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import data, pages, report
from benchmarks.cases import CASES, Sample, sample
from benchmarks.checks import check_equal
from benchmarks.contestants import CONTESTANTS, NotAvailableError, Running, started
from benchmarks.database import FOLDER, Servers, running
from benchmarks.growth import Growth, GrowthEffort, look
from benchmarks.machine import machine, versions
from benchmarks.node import NodeMissingError
from benchmarks.rounds import Effort, Results, measure

QUICK = Effort(rounds=2, seconds=0.5, first_warm_up=2.0)
QUICK_GROWTH = GrowthEffort(seconds=0.3, rounds=1, requests=4_000, documents=400, portions=4)
console = Console(soft_wrap=True, highlight=False)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Two short rounds: a first impression.")] = False,
    only: Annotated[str, typer.Option(help="Cases, separated by commas.")] = ",".join(CASES),
    servers: Annotated[str, typer.Option(help="Servers, separated by commas.")] = ",".join(CONTESTANTS),
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    actor: Annotated[
        str, typer.Option(help="Who asks: bench, in 5 workspaces, or everywhere, in all 200.")
    ] = data.ACTOR,
    growth: Annotated[bool, typer.Option(help="Look at growth and memory too.")] = True,
    docs: Annotated[bool, typer.Option("--docs", help="Write docs/performance.md and its chart anew.")] = False,
) -> None:
    """Measure the gateway and its peers on the same rows."""
    # Stopped or interrupted, it takes the servers with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    effort = QUICK if quick else Effort()
    effort = replace(effort, rounds=rounds or effort.rounds)
    cases = _chosen(only, list(CASES))
    names = _chosen(servers, list(CONTESTANTS))
    with running() as base, ExitStack() as stack:
        chosen = sample(base)
        contestants = [each for name in names if (each := _start(stack, name, base, chosen, actor))]
        told = check_equal(contestants, cases, chosen)
        console.print(f"All say the same: {told}")
        results = measure(contestants, cases, chosen, effort)
        report.show(console, contestants, results)
        grown = look(contestants, base, chosen, QUICK_GROWTH if quick else GrowthEffort()) if growth else None
        _write(base, contestants, results, grown, effort, docs=docs)


def _write(
    base: Servers, contestants: list[Running], results: Results, grown: Growth | None, effort: Effort, *, docs: bool
) -> None:
    found = versions(base, contestants)
    content = {
        "machine": machine(), "versions": found, "effort": asdict(effort), "disturbance": results.disturbance(),
        "cases": results.as_json(), "growth": grown.as_json() if grown else None,
    }  # fmt: skip
    report.save(FOLDER / "results.json", content)
    if grown:
        report.show_growth(console, grown)
    if docs:
        pages.write(contestants, results, grown, machine(), found)


def _chosen(text: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    strange = [name for name in names if name not in known]
    if strange:
        raise typer.BadParameter(f"{', '.join(strange)} unknown; there are {', '.join(known)}")
    return names


def _start(stack: ExitStack, name: str, base: Servers, chosen: Sample, actor: str) -> Running | None:
    kind = CONTESTANTS[name]
    try:
        return stack.enter_context(started(kind, base, chosen, actor))
    except (NotAvailableError, NodeMissingError, CalledProcessError, OSError) as error:
        console.print(f"{kind.title} is left out: {error}", style="yellow")
        return None


typer.run(main)
