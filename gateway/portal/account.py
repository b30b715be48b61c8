"""`/account/…`: where links in mails lead, unless a team has pages of its own (ACCOUNT_URL).

A page does nothing by being opened, since whatever looks through mails opens their links: somebody has to press a
button. The token is in the address's fragment, so it is in nobody's log; the page's script sends it in a body.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.mail import ACCOUNT_PATH
from gateway.portal.pages import SCRIPTED_POLICY, base_of, page
from services.catalogue import Catalogue, Operation


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page: which operation its button calls, what it says, and the fields of its form."""

    operation: str
    title: str
    lead: str
    button: str
    done: str
    fields: tuple[str, ...] = ()


PAGES: Final = {
    "verify-email": AccountPage(
        "verify_email", "Verify your e-mail address", "Say that the address that the mail came to is yours.",
        "Verify the address", "The address is verified.",
    ),
    "confirm-email": AccountPage(
        "confirm_email", "Confirm your new e-mail address", "The address that the mail came to becomes your account's.",
        "Confirm the address", "The address is your account's now.",
    ),
    "reset-password": AccountPage(
        "reset_password", "Choose a new password", "Wherever you are signed in, you will be signed out.",
        "Change the password", "The password is changed. Sign in with it.", ("new_password",),
    ),
    "accept-invitation": AccountPage(
        "accept_invitation", "Accept the invitation", "Sign in to join the workspace. Sign up first if you have no "
        "account yet.", "Sign in and join", "You are a member of the workspace now.", ("username", "password"),
    ),
}  # fmt: skip


def account_routes(project_name: str, api_prefix: str, catalogue: Catalogue) -> list[BaseRoute]:
    """The pages whose operations the catalogue has."""
    operations = catalogue.operations
    return [
        Route(f"{ACCOUNT_PATH}/{name}", partial(_page, project_name, api_prefix, each, operations[each.operation]))
        for name, each in PAGES.items()
        if each.operation in operations
    ]


async def _page(
    project_name: str, api_prefix: str, shown: AccountPage, operation: Operation, request: Request
) -> Response:  # fmt: skip
    return page(
        "account.html", base=base_of(request), policy=SCRIPTED_POLICY, headers={"Referrer-Policy": "no-referrer"},
        title=shown.title, project=project_name, shown=shown, operation=operation, api=api_prefix,
    )  # fmt: skip
