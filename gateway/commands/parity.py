"""`gateway parity`: call every operation on every path as every caller, and compare the outcomes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.errors import SettingsError
from gateway.parity.judging.proof import Findings, Proof
from gateway.parity.report.matrix import Cells, deviations, parse, record, recorded_in
from gateway.parity.report.removing import is_caught, removals
from gateway.parity.report.report import WIDTH, html_report, print_report
from gateway.parity.world.making import make_world
from gateway.parity.world.places import place
from gateway.parity.world.sandbox import sandbox
from gateway.runtime import open_gateway
from gateway.settings import Settings, load_settings
from services.catalogue import Catalogue


def parity(
    only: Annotated[str, typer.Option(help="Operations, separated by commas; default: all.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write the matrix and all differences to this file.")] = None,
    keep: Annotated[
        Path | None, typer.Option("--record", help="Write what each role can do into this page's matrix.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Compare what each role can do with this page's matrix.")] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Remove every rule in turn, and report those that go unnoticed.")
    ] = False,
    database_url: Annotated[
        str | None, typer.Option(help="A PostgreSQL server to create a database on, instead of an embedded one.")
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(help="An empty Redis database to use, instead of an embedded one.")
    ] = None,
) -> None:
    """Prove that services, REST and GraphQL agree. The exit code is 1 if they do not."""
    # The proof sends unregistered documents, on which authorization does not depend.
    loaded = load_settings(GRAPHQL_DOCUMENTS="any")
    catalogue = Catalogue.load(loaded.MODULES)
    names = _names(catalogue, only)
    if keep is not None and names:
        raise SettingsError("--record needs all operations: leave --only away.")
    recorded = parse(recorded_in(_read(against))) if against is not None else None
    if mutate and recorded is None:
        raise SettingsError("--mutate needs --against: without a rule all ways still agree.")
    with place(loaded, database_url, redis_url) as settings:
        findings, missed = asyncio.run(_prove(settings, catalogue, names, recorded, mutate=mutate))
    if keep is not None:
        keep.write_text(record(_read(keep), findings.measured), encoding="utf-8")
    if html is not None:
        html.write_text(html_report(findings), encoding="utf-8")
    console = Console(soft_wrap=True, markup=False, highlight=False, width=max(Console().width, WIDTH))
    print_report(console, findings)
    for sentence in missed:
        console.print(sentence)
    if not findings.agree:
        raise typer.Exit(1)


def _names(catalogue: Catalogue, only: str) -> set[str]:
    names = {name.strip() for name in only.split(",") if name.strip()}
    unknown = sorted(names - catalogue.operations.keys())
    if unknown:
        raise SettingsError(f"There is no operation {', '.join(unknown)}. `gateway explain` lists them.")
    return names


async def _prove(
    settings: Settings, catalogue: Catalogue, names: set[str], recorded: Cells | None, *, mutate: bool
) -> tuple[Findings, list[str]]:
    async with open_gateway(settings, catalogue) as gateway:
        world = await make_world(gateway)
    async with sandbox(settings, catalogue) as opened:
        proof = Proof(opened, world)
        findings = await proof.run([each for each in proof.planned if not names or each[0].name in names])
        if recorded is None:
            return findings, []
        findings.deviations += deviations(recorded, findings.measured, whole=not names)
        return findings, await _mutate(proof, recorded) if mutate else []


async def _mutate(proof: Proof, recorded: Cells) -> list[str]:
    """Return sentences about rules whose removal goes unnoticed, and one with the counts."""
    rules = list(removals(proof.sandbox.gateway.catalogue))
    missed = [rule.name for rule in rules if not await is_caught(rule, proof, recorded)]
    unnoticed = [f"Not noticed: without {name} all is as before." for name in missed]
    return [*unnoticed, f"{len(rules)} rules removed, {len(rules) - len(missed)} caught."]


def _read(page: Path) -> str:
    try:
        text = page.read_text(encoding="utf-8")
        recorded_in(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{page}: {error}") from None
    return text
