"""`/account/…`: the targets of links in mails, unless ACCOUNT_URL names other pages.

Opening a page changes nothing, since mail scanners open links: the reader has to press a button. The token is in the
URL's fragment, so that no log has it; the page's script sends it in a request's body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.mail import ACCOUNT_PATH
from gateway.portal.pages import SCRIPTED_POLICY, Html, asset_url, base_path, page, render, stylesheets
from services.catalogue import Catalogue

_SIGN_IN_FIELDS: Final = (
    '<label>User name or e-mail address<input name="username" autocomplete="username" maxlength="254" required></label>'
    '<label>Password<input name="password" type="password" autocomplete="current-password" maxlength="128" required>'
    "</label>"
)
_RESET_FIELDS: Final = (
    '<label>New password<input name="new_password" type="password" autocomplete="new-password" minlength="8" '
    'maxlength="128" required></label>'
)


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page: the operation that its button calls, its texts, and its form's fields as HTML."""

    operation: str
    title: str
    lead: str
    button: str
    done: str
    fields: str = ""


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
        "Change the password", "The password is changed. Sign in with it.", _RESET_FIELDS,
    ),
    "accept-invitation": AccountPage(
        "accept_invitation", "Accept the invitation", "Sign in to join the workspace. Sign up first if you have no "
        "account yet.", "Sign in and join", "You are a member of the workspace now.", _SIGN_IN_FIELDS,
    ),
}  # fmt: skip


def account_routes(project_name: str, api_prefix: str, catalogue: Catalogue) -> list[BaseRoute]:
    """Return the routes of the pages whose operations the catalogue has."""
    return [
        Route(f"{ACCOUNT_PATH}/{name}", _endpoint(project_name, api_prefix, account_page, catalogue))
        for name, account_page in PAGES.items()
        if account_page.operation in catalogue.operations
    ]


def _endpoint(
    project_name: str, api_prefix: str, account_page: AccountPage, catalogue: Catalogue
) -> Callable[[Request], Awaitable[Response]]:  # fmt: skip
    operation = catalogue.operations[account_page.operation]

    async def endpoint(request: Request) -> Response:
        base = base_path(request)
        body = render(
            "account.html", project=project_name, title=account_page.title, lead=account_page.lead,
            button=account_page.button, done=account_page.done, fields=Html(account_page.fields),
            api=f"{base}{api_prefix}", action=f"{base}{api_prefix}/{operation.address}",
            scope=operation.scope or "", base=base,
        )  # fmt: skip
        script = Html(f'<script src="{escape(asset_url("account.js", base))}" defer></script>')
        head = Html(stylesheets(base, "theme.css", "page.css") + script)
        return page(
            f"{account_page.title} · {project_name}", body, base=base, head=head, policy=SCRIPTED_POLICY,
            headers={"Referrer-Policy": "no-referrer"},
        )  # fmt: skip

    return endpoint
