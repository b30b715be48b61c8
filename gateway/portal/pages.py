"""Pages from Jinja's templates, where every value is escaped, with strict headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from gateway.portal.assets import HERE, assets

_COMMON_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; font-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_POLICY: Final = f"{_COMMON_POLICY}; style-src 'self'; img-src 'self'"
SCRIPTED_POLICY: Final = f"{PAGE_POLICY}; script-src 'self'"


def base_of(request: Request) -> str:
    """The path the gateway is mounted at behind a proxy (ASGI's root_path), empty at the root."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def tool_policy(*, workers: bool = False, upstream: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of a tool; ReDoc has `workers` from blobs, GraphiQL may have `upstream` files."""
    source = " ".join(["'self'", *upstream])
    policy = f"{_COMMON_POLICY}; script-src {source}; style-src {source} 'unsafe-inline'; img-src 'self' data:"
    return f"{policy}; worker-src blob:" if workers else policy


def page(
    template: str, *, base: str, policy: str = PAGE_POLICY, vary: str = "", status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}), **values: object,
) -> Response:  # fmt: skip
    """A complete HTML page: a template of templates/. `base` is the path the gateway is mounted at (mostly empty)."""
    content = _templates().get_template(template).render(base=base, **values)
    usual = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", **({"Vary": vary} if vary else {})}
    return Response(content, status, {**usual, **headers}, media_type="text/html")


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.globals["graphql"] = "/graphql"
    found.globals["asset"] = lambda name: assets()[name].path
    found.policies["urlize.rel"] = None
    return found
