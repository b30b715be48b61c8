"""`gateway jobs`: list, show, retry and discard background jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from sqlalchemy import select
from sqlalchemy.orm import undefer

from gateway.commands.running import run_with_gateway
from gateway.errors import SettingsError
from gateway.settings import Settings
from services.catalogue import OPERATOR, Call, Problem
from services.catalogue.calls import Trace
from services.catalogue.identifiers import split_identifier
from services.catalogue.jobs import PermanentError
from services.catalogue.models import NoInput
from services.catalogue.operations import Operation
from services.catalogue.problems import NOT_FOUND
from services.engine.gateway import Gateway
from services.jobs.models import Job, JobState
from services.jobs.operations import delete_job, retry_job
from services.jobs.payloads import Payloads
from services.jobs.resource import jobs as resource
from services.queries.versions import ANY, Preconditions

jobs = typer.Typer(no_args_is_help=True, help="List, show, retry and discard background jobs.")

_Ids = Annotated[list[str], typer.Argument(metavar="JOB…", help="Identifiers: job_….")]


@jobs.command("list")
def list_(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number.")] = 50,
) -> None:
    """List jobs, the newest first: identifier, kind, state, attempts, due time and last error, separated by tabs."""

    async def newest(call: Call, _gateway: Gateway) -> list[Job]:
        query = select(Job).order_by(Job.created_at.desc()).limit(limit)
        return list(await call.session.scalars(query if state is None else query.where(Job.state == state)))

    for job in _run(newest):
        due, error = job.run_at.strftime("%Y-%m-%d %H:%M:%SZ"), " ".join((job.error or "").split())
        typer.echo("\t".join([resource.encode(job.id), job.name, job.state, str(job.attempts), due, error]))


@jobs.command()
def show(job: Annotated[str, typer.Argument(help="Its identifier: job_….")]) -> None:
    """Show a job with its payload, without secrets."""

    async def details(call: Call, gateway: Gateway) -> dict[str, Any]:
        row = await call.session.get(Job, _key(job), options=[undefer(Job.payload)])
        if row is None:
            raise _unknown(job)
        kind = gateway.catalogue.jobs.get(row.name)
        values: dict[str, Any] = {"id": job, **{name: getattr(row, name) for name in resource.fields if name != "id"}}
        if row.payload and kind is not None:
            try:
                values["payload"] = call.part(Payloads).read(kind.payload, row.payload).model_dump(mode="json")
            except PermanentError as error:
                values["payload"] = str(error)
        return values

    typer.echo(orjson.dumps(_run(details), option=orjson.OPT_INDENT_2).decode())


@jobs.command()
def retry(ids: _Ids) -> None:
    """Retry failed jobs: all of them, or none if one cannot be retried."""
    _do(retry_job, ids)
    typer.echo(f"{len(ids)} queued.")


@jobs.command()
def discard(ids: _Ids) -> None:
    """Delete jobs, done or not: all of them, or none if one is running."""
    _do(delete_job, ids)
    typer.echo(f"{len(ids)} discarded.")


def _do(operation: Operation, ids: Sequence[str]) -> None:
    """Call an operation for each of these jobs, in one transaction, with an admin's rights and audit."""

    async def call_each(call: Call, gateway: Gateway) -> None:
        for job in ids:
            call.trace = Trace()
            try:
                await gateway.do(operation, call, _key(job), NoInput(), Preconditions.version(ANY))
            except Problem as problem:
                raise (_unknown(job) if problem.type is NOT_FOUND else problem) from None

    _run(call_each)


def _key(identifier: str) -> UUID:
    prefix, key = split_identifier(identifier) or ("", None)
    if prefix != resource.prefix or key is None:
        raise _unknown(identifier)
    return key


def _unknown(identifier: str) -> SettingsError:
    return SettingsError(f"There is no job {identifier}.")


def _run(action: Callable[[Call, Gateway], Awaitable[Any]]) -> Any:
    async def run(gateway: Gateway, _settings: Settings) -> Any:
        async with gateway.unit_of_work(OPERATOR) as call:
            return await action(call, gateway)

    return run_with_gateway(run)
