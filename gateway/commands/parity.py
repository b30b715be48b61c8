"""`gateway parity`: every operation on every way by everybody, compared."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.errors import SettingsError
from gateway.parity.judging.proof import Proof
from gateway.parity.report.html import html_report
from gateway.parity.report.matrix import Cells, deviations, parse, record, recorded_in
from gateway.parity.report.removing import is_caught, removals
from gateway.parity.report.report import WIDTH, Report, print_report
from gateway.parity.world.making import make_world
from gateway.parity.world.places import place
from gateway.parity.world.sandbox import sandbox
from gateway.runtime import open_gateway
from gateway.settings import Settings, load_settings
from services.catalogue import Catalogue

_Names = Annotated[str, typer.Option("--only", help="Operations, separated by commas; all of them if left out.")]
_Page = Annotated[Path | None, typer.Option(help="Compare what each role can do with this page's matrix.")]


def parity(
    only: _Names = "",
    html: Annotated[Path | None, typer.Option(help="Write the matrix and all differences to this file.")] = None,
    keep: Annotated[
        Path | None, typer.Option("--record", help="Write what each role can do into this page's matrix.")
    ] = None,
    against: _Page = None,
    mutate: Annotated[bool, typer.Option("--mutate", help="Take out every rule in turn: is it noticed?")] = False,
    database_url: Annotated[
        str | None, typer.Option(help="A PostgreSQL server to make a database on, instead of one of its own.")
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(help="An empty Redis database to use instead of one of its own.")
    ] = None,
) -> None:
    """Prove that services, REST and GraphQL agree. Exit code 1 unless they do."""
    # It asks what nobody has registered; who may do what does not depend on that.
    loaded = load_settings(GRAPHQL_DOCUMENTS="any")
    catalogue = Catalogue.load(loaded.MODULES)
    names = _names(catalogue, only)
    if keep is not None and names:
        raise SettingsError("--record needs all operations: leave --only away.")
    recorded = parse(recorded_in(_read(against))) if against is not None else None
    if mutate and recorded is None:
        raise SettingsError("--mutate needs --against: without a rule all ways still agree.")
    with place(loaded, database_url, redis_url) as settings:
        report, missed = asyncio.run(_prove(settings, catalogue, names, recorded, mutate=mutate))
    if keep is not None:
        keep.write_text(record(_read(keep), report.findings.measured), encoding="utf-8")
    if html is not None:
        html.write_text(html_report(report), encoding="utf-8")
    console = Console(soft_wrap=True, markup=False, highlight=False, width=max(Console().width, WIDTH))
    print_report(console, report)
    for sentence in missed:
        console.print(sentence)
    if not report.is_green:
        raise typer.Exit(1)


def _names(catalogue: Catalogue, only: str) -> set[str]:
    names = {each.strip() for each in only.split(",") if each.strip()}
    unknown = sorted(names - catalogue.operations.keys())
    if unknown:
        raise SettingsError(f"There is no operation {', '.join(unknown)}. `gateway explain` lists them.")
    return names


async def _prove(
    settings: Settings, catalogue: Catalogue, names: set[str], recorded: Cells | None, *, mutate: bool
) -> tuple[Report, list[str]]:
    async with open_gateway(settings, catalogue) as gateway:
        world = await make_world(gateway)
    async with sandbox(settings, catalogue) as found:
        proof = Proof(found, world, settings.API_V1_STR)
        findings = await proof.run([each for each in proof.planned if not names or each[0].name in names])
        report = Report(findings, unmade=world.unmade)
        if recorded is None:
            return report, []
        report.deviations += deviations(recorded, findings.measured, whole=not names)
        return report, await _mutate(proof, recorded) if mutate else []


async def _mutate(proof: Proof, recorded: Cells) -> list[str]:
    """Sentences about rules that nobody misses, and how many were taken out."""
    every = list(removals(proof.sandbox.gateway.catalogue))
    missed = [each.name for each in every if not await is_caught(each, proof, recorded)]
    unnoticed = [f"Not noticed: without {name} all is as before." for name in missed]
    return [*unnoticed, f"{len(every)} rules removed, {len(every) - len(missed)} caught."]


def _read(page: Path) -> str:
    try:
        text = page.read_text(encoding="utf-8")
        recorded_in(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{page}: {error}") from None
    return text
