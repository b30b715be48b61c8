"""`gateway create-admin`: create the first or a further admin."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.running import run_with_gateway
from gateway.errors import SettingsError
from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Problem
from services.catalogue.models import parse_input
from services.engine.gateway import Gateway
from services.identity.auth.operations import register
from services.identity.users.schemas import UserRegister


def create_admin(
    username: Annotated[str, typer.Option(prompt=True, help="The name to sign in with.")],
    email: Annotated[str, typer.Option(prompt=True, help="The e-mail address.")],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="ADMIN_PASSWORD")
    ],
) -> None:
    """Create an account that may do everything. Without --password, prompt for it."""
    data = {"username": username, "email": email, "password": password}

    async def create(gateway: Gateway, _settings: Settings) -> None:
        try:
            async with gateway.unit_of_work(ANONYMOUS) as call:
                admin = await register(call, parse_input(UserRegister, data))
                admin.is_superuser, admin.email_verified_at = True, call.now
        except Problem as problem:
            faults = [f"--{'.'.join(map(str, error.path))}: {error.message}" for error in problem.errors]
            raise SettingsError("\n".join(faults) or problem.detail) from None

    run_with_gateway(create)
    typer.echo(f"{username} is an admin.")
