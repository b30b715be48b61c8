"""`gateway create-admin`: create the first or a further admin."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gateway.embedded import check_reachable, shared_servers
from gateway.errors import SettingsError
from gateway.runtime import open_gateway
from gateway.settings import Settings, load_settings
from services.catalogue import ANONYMOUS, Catalogue, Problem
from services.catalogue.models import parse_input
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
    loaded = load_settings()
    with shared_servers(loaded) as settings:
        asyncio.run(_create(settings, {"username": username, "email": email, "password": password}))
    typer.echo(f"{username} is an admin.")


async def _create(settings: Settings, data: dict[str, str]) -> None:
    settings = await check_reachable(settings)
    catalogue = Catalogue.load(settings.MODULES)
    async with open_gateway(settings, catalogue) as gateway:
        try:
            async with gateway.unit_of_work(ANONYMOUS) as call:
                admin = await register(call, parse_input(UserRegister, data))
                admin.is_superuser, admin.email_verified_at = True, call.now
        except Problem as problem:
            faults = [f"--{'.'.join(map(str, error.path))}: {error.message}" for error in problem.errors]
            raise SettingsError("\n".join(faults) or problem.detail) from None
