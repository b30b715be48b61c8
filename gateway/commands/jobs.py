"""`gateway jobs`: what is done in the background, for who has to see to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import orjson
import typer
from sqlalchemy import select
from sqlalchemy.orm import undefer

from gateway.embedded import check_reachable, shared_servers
from gateway.errors import SettingsError
from gateway.runtime import open_gateway
from gateway.settings import load_settings
from services.catalogue import ANONYMOUS, Call, Catalogue, Problem
from services.catalogue.identifiers import split_identifier
from services.catalogue.jobs import HopelessError
from services.jobs.models import Job, JobState
from services.jobs.operations import check_idle, retry_job
from services.jobs.payloads import Payloads
from services.jobs.resource import jobs as resource

jobs = typer.Typer(no_args_is_help=True, help="See to what is done in the background.")

_Ids = Annotated[list[str], typer.Argument(metavar="JOB…", help="Identifiers: job_….")]


@jobs.command("list")
def list_(
    state: Annotated[JobState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
) -> None:
    """List jobs, the newest first: identifier, kind, state, tries, when due, and the last error, with tabs between."""

    async def found(call: Call) -> list[Job]:
        query = select(Job).order_by(Job.created_at.desc()).limit(limit)
        return list((await call.session.execute(query if state is None else query.where(Job.state == state))).scalars())

    for each in _run(found):
        due, error = each.run_at.strftime("%Y-%m-%d %H:%M:%SZ"), " ".join((each.error or "").split())
        typer.echo("\t".join([resource.encode(each.id), each.name, each.state, str(each.attempts), due, error]))


@jobs.command()
def show(job: Annotated[str, typer.Argument(help="Its identifier: job_….")]) -> None:
    """Show all that is known of a job, but for secrets."""

    async def found(call: Call) -> dict[str, Any]:
        row = await _row(call, job, undefer(Job.payload))
        kind = Catalogue.load(load_settings().MODULES).jobs.get(row.name)
        values: dict[str, Any] = {"id": job, **{name: getattr(row, name) for name in resource.fields if name != "id"}}
        if row.payload and kind is not None:
            try:
                values["payload"] = call.part(Payloads).read(kind.payload, row.payload).model_dump(mode="json")
            except HopelessError as error:
                values["payload"] = str(error)
        return values

    typer.echo(orjson.dumps(_run(found), option=orjson.OPT_INDENT_2).decode())


@jobs.command()
def retry(ids: _Ids) -> None:
    """Try jobs again that have failed: all of them, or none if one cannot be."""

    async def again(call: Call) -> None:
        for each in ids:
            assert retry_job.function is not None
            await retry_job.function(call, await _row(call, each))

    _run(again)
    typer.echo(f"{len(ids)} queued.")


@jobs.command()
def discard(ids: _Ids) -> None:
    """Forget jobs, done or not: all of them, or none if one is running."""

    async def gone(call: Call) -> None:
        for each in ids:
            row = await _row(call, each)
            await check_idle(call, row)
            await call.session.delete(row)

    _run(gone)
    typer.echo(f"{len(ids)} discarded.")


async def _row(call: Call, identifier: str, *options: Any) -> Job:
    prefix, key = split_identifier(identifier) or ("", None)
    wanted = select(Job).where(Job.id == key).with_for_update().options(*options)
    row = (await call.session.execute(wanted)).scalar_one_or_none() if prefix == resource.prefix else None
    if row is None:
        raise SettingsError(f"There is no job {identifier}.")
    return row


def _run(action: Callable[[Call], Awaitable[Any]]) -> Any:
    """Do something in a transaction. Raises SettingsError with what was refused."""
    with shared_servers(load_settings()) as settings:

        async def run() -> Any:
            await check_reachable(settings)
            async with (
                open_gateway(settings, Catalogue.load(settings.MODULES)) as gateway,
                gateway.unit_of_work(ANONYMOUS) as call,
            ):
                return await action(call)

        try:
            return asyncio.run(run())
        except Problem as problem:
            raise SettingsError(problem.detail) from None
