"""Render pages from templates, with escaped values and strict headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from string import Template
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.assets import HERE, assets

_COMMON_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; font-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_POLICY: Final = f"{_COMMON_POLICY}; style-src 'self'; img-src 'self'"
SCRIPTED_POLICY: Final = f"{PAGE_POLICY}; script-src 'self'"


class Html(str):
    """Text that is HTML, and is not escaped again."""

    __slots__ = ()


def tool_policy(*, workers: bool = False, upstream: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy of a tool: own scripts, inline styles, `data:` images.

    `workers` also allows workers from a blob, for ReDoc; `upstream` allows the scripts and styles at these URLs.
    """
    source = " ".join(["'self'", *upstream])
    policy = f"{_COMMON_POLICY}; script-src {source}; style-src {source} 'unsafe-inline'; img-src 'self' data:"
    return f"{policy}; worker-src blob:" if workers else policy


def render(template: str, **values: object) -> Html:
    """Render the file of that name in templates/, with every value escaped that is not `Html`."""
    escaped = {key: value if isinstance(value, Html) else escape(str(value)) for key, value in values.items()}
    return Html(_template(template).substitute(escaped))


def text(template: str, **values: object) -> str:
    """Render the file of that name in templates/ as plain text, without escaping."""
    return _template(template).substitute(values)


def page(
    title: str, body: Html, *, base: str, head: Html | None = None, policy: str = PAGE_POLICY, vary: str = "",
    status: int = 200, headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:  # fmt: skip
    """Return a complete HTML page. `base` is as of `base_path`; `head` defaults to the style sheets of plain pages."""
    head = stylesheets(base, "theme.css", "page.css") if head is None else head
    content = render("layout.html", title=title, body=body, head=head, favicon=asset_url("favicon.svg", base))
    defaults = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", **({"Vary": vary} if vary else {})}
    return Response(content, status, {**defaults, **headers}, media_type="text/html")


def base_path(request: Request) -> str:
    """Return the path at which a proxy mounts the gateway (ASGI's `root_path`), empty at the root."""
    base: str = request.scope.get("root_path", "")
    return base.rstrip("/")


def asset_url(name: str, base: str) -> str:
    return base + assets()[name].path


def stylesheets(base: str, *names: str) -> Html:
    """Return `<link>` elements for these style sheets."""
    return Html("".join(f'<link rel="stylesheet" href="{escape(asset_url(name, base))}">' for name in names))


@cache
def _template(name: str) -> Template:
    return Template((HERE / "templates" / name).read_text(encoding="utf-8"))
