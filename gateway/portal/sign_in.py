"""The navigation bar above the tools, and the sign-in form that the pages share (static/session.js)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from typing import Final, NamedTuple, TypeAlias

from gateway.portal.pages import Html, asset_url, render

_NOTHING: Final = Html()
_TOOLS: Final = {"GraphiQL": "", "Swagger UI": "/docs", "ReDoc": "/redoc"}


class Demo(NamedTuple):
    """An account with which every visitor may sign in."""

    username: str
    password: str


FindDemo: TypeAlias = Callable[[], Awaitable[Demo | None]]


async def no_demo() -> None:
    """Return None: there is no such account."""


def bar(project: str, base: str, graphql: str, current: str, session: Html = _NOTHING) -> Html:
    """Return the bar with links to the tools; `current` is the shown one, `session` the result of `sign_in`."""
    links = "".join(
        f'<a href="{escape(base + (path or graphql))}"{" aria-current=page" if name == current else ""}>{name}</a>'
        for name, path in _TOOLS.items()
    )
    return render("bar.html", project=project, base=base, links=Html(links), session=session)


def sign_in(demo: Demo | None) -> Html:
    """Return the button and the form to sign in, which offers the demo account if there is one."""
    return render("sign_in.html", demo=render("sign_in_demo.html", **demo._asdict()) if demo else Html())


def sign_in_scripts(base: str, api: str) -> Html:
    """Return the scripts of the form, which belong before those that use the session; `api` is the path of REST."""
    session, form = (escape(asset_url(name, base)) for name in ("session.js", "sign_in.js"))
    return Html(f'<script src="{session}" data-api="{escape(base + api)}"></script><script src="{form}"></script>')
