"""`/dev/mail`: the mails that are kept because there is no mail server. There is no such page in production."""

from __future__ import annotations

from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.portal.pages import PAGE_POLICY, base_of, page
from services.catalogue.problems import NOT_FOUND, Problem
from services.identity.mail.folder import MailFolder

MAIL_PATH: Final = "/dev/mail"
_MAIL_POLICY: Final = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The frame is under the page's policy: no scripts, nothing loaded, but a mail's styles are within it."""


def mail_routes(project_name: str, folder: Path) -> list[BaseRoute]:
    """`/dev/mail`, with the newest first, and `/dev/mail/{name}`."""
    mails = MailFolder(folder)

    # Not coroutines, so that Starlette has files read in threads.
    def mail_list(request: Request) -> Response:
        _check_near(request)
        listed = [(name, mail) for name in mails.names() if (mail := mails.mail(name)) is not None]
        return page(
            "mails.html", base=base_of(request), title="Mails", project=project_name, path=MAIL_PATH, mails=listed
        )

    def one_mail(request: Request) -> Response:
        _check_near(request)
        mail = mails.mail(request.path_params["name"])
        if mail is None:
            raise Problem(NOT_FOUND)
        return page(
            "mail.html", base=base_of(request), policy=_MAIL_POLICY, title=mail["Subject"] or "Mail",
            project=project_name, mail=mail, text=_part(mail, "plain"), html=_part(mail, "html"),
        )  # fmt: skip

    return [Route(MAIL_PATH, mail_list), Route(f"{MAIL_PATH}/{{name}}", one_mail)]


def _check_near(request: Request) -> None:
    if not is_near(request):
        raise Problem(NOT_FOUND)


def is_near(request: Request) -> bool:
    """Whether it comes from this machine, and asks for this machine: nobody else is shown mails.

    Who has forgotten to set ENVIRONMENT in production must not hand everybody the links that mails hold: behind a proxy
    everybody seems to be near. Nor may another site's name lead a browser here (DNS rebinding).
    """
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return not forwarded and _is_own(request.client.host if request.client else "") and _is_own(request.url.hostname)


def _is_own(host: str | None) -> bool:
    """Whether a name or an address is that of this machine to itself (RFC 6761, 6.3)."""
    name = (host or "").partition("%")[0].strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
