"""`/dev/mail`: the mails that are kept because there is no mail server. There is no such page in production."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.portal.pages import PAGE_POLICY, Html, page, render, stylesheets
from services.catalogue.problems import NOT_FOUND, Problem
from services.identity.mail.folder import MailFolder

MAIL_PATH: Final = "/dev/mail"
_MAIL_POLICY: Final = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The frame is under the page's policy: no scripts, nothing loaded, but a mail's styles are within it."""
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")


def mail_routes(project_name: str, folder: Path) -> list[BaseRoute]:
    """`/dev/mail`, with the newest first, and `/dev/mail/{name}`."""
    mails = MailFolder(folder)

    def mail_list(base: str) -> Response:
        rows = "".join(_row(base, name, mail) for name in mails.names() if (mail := mails.mail(name)) is not None)
        body = render("mails.html", base=base, project=project_name, rows=Html(rows or render("no_mails.html")))
        return page(f"Mails · {project_name}", body, base=base, head=stylesheets(base, "theme.css", "page.css"))

    def one_mail(base: str, name: str) -> Response:
        mail = mails.mail(name)
        if mail is None:
            raise Problem(NOT_FOUND)
        text = _part(mail, "plain")
        body = render(
            "mail.html", base=base, project=project_name, subject=mail["Subject"] or "", sender=mail["From"] or "",
            to=mail["To"] or "", date=mail["Date"] or "", id=mail["Message-ID"] or "", text=_linked(text),
            html='<base target="_blank">' + _part(mail, "html"),
        )  # fmt: skip
        title = f"{mail['Subject'] or 'Mail'} · {project_name}"
        return page(title, body, base=base, head=stylesheets(base, "theme.css", "page.css"), policy=_MAIL_POLICY)

    return [
        Route(MAIL_PATH, _in_thread(lambda request, base: mail_list(base))),
        Route(f"{MAIL_PATH}/{{name}}", _in_thread(lambda request, base: one_mail(base, request.path_params["name"]))),
    ]


def _in_thread(answer: Callable[[Request, str], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that reads files."""

    async def endpoint(request: Request) -> Response:
        if not is_near(request):
            raise Problem(NOT_FOUND)
        return await run_in_threadpool(answer, request, request.scope.get("root_path", "").rstrip("/"))

    return endpoint


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


def _row(base: str, name: str, mail: EmailMessage) -> Html:
    date, to, subject = (str(mail[each] or "") for each in ("Date", "To", "Subject"))
    return render("mail_row.html", base=base, path=MAIL_PATH, name=name, date=date, to=to, subject=subject or "…")


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _linked(text: str) -> Html:
    """Text as HTML, its addresses as links."""
    linked, end = "", 0
    for found in _LINK.finditer(text):
        url = escape(found.group())
        linked += f'{escape(text[end : found.start()])}<a href="{url}" rel="noreferrer">{url}</a>'
        end = found.end()
    return Html(linked + escape(text[end:]))
