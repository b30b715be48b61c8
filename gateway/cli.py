"""The command `gateway`. Each command lives in gateway/commands/ and is registered here."""

from typing import Any

import typer
from rich.console import Console

from gateway.commands.create_admin import create_admin
from gateway.commands.documents import documents
from gateway.commands.explain import explain
from gateway.commands.export import export
from gateway.commands.jobs import jobs
from gateway.commands.migrate import migrate
from gateway.commands.parity import parity
from gateway.commands.serve import serve
from gateway.commands.worker import worker
from gateway.errors import SettingsError
from services.catalogue import DeclarationError


class PlainErrorGroup(typer.core.TyperGroup):
    """A command group that prints errors of settings and declarations without a traceback, and exits with code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, DeclarationError) as error:
            Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(1) from None


app = typer.Typer(cls=PlainErrorGroup, no_args_is_help=True, pretty_exceptions_show_locals=False)
for command in (serve, worker, migrate, create_admin, export, explain, parity):
    app.command()(command)
app.add_typer(documents, name="documents")
app.add_typer(jobs, name="jobs")
