"""The browser files of the pages: which there are, where they come from, and how they are served.

Swagger UI and ReDoc lie in the installed package `fastapi-offline`, GraphiQL and React in `node_modules` if npm has put
them there, our own in `static/`. Only the files named here are served. Every URL carries a hash of the content, so that
browsers may keep a file for good. See docs/decisions/0003-page-assets.md.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.catalogue.problems import NOT_FOUND, Problem

ASSETS_PATH: Final = "/assets"
HERE: Final = Path(__file__).parent
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_OWN: Final = (
    "favicon.svg", "theme.css", "page.css", "tools.css", "session.js", "sign_in.js", "document.js", "docs.js",
    "redoc.js", "graphiql.js", "account.js",
)  # fmt: skip
_STRANGERS: Final = {"redoc.standalone.js": b"https://cdn.redoc.ly/redoc/logo-mini.svg"}
"""Pictures that a file asks others for; it is given an address of nothing instead, and leaves the picture out."""
_FROM_PYTHON: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js")


@dataclass(frozen=True, slots=True)
class Upstream:
    """One of GraphiQL's files: where npm puts it, and where it is fetched from, with its SRI hash, if npm has not."""

    name: str
    installed: str
    version: str
    integrity: str

    @property
    def url(self) -> str:
        """The file at the CDN that Strawberry's own GraphiQL page uses."""
        package, _, path = self.installed.partition("/")
        return f"https://unpkg.com/{package}@{self.version}/{path}"


GRAPHIQL: Final = (
    Upstream(
        "graphiql.min.css", "graphiql/graphiql.min.css", "3.8.3",
        "sha384-Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM",
    ),
    Upstream(
        "react.production.min.js", "react/umd/react.production.min.js", "18.2.0",
        "sha384-tMH8h3BGESGckSAVGZ82T9n90ztNXxvdwvdM6UoR56cYcf+0iGXBliJ29D+wZ/x8",
    ),
    Upstream(
        "react-dom.production.min.js", "react-dom/umd/react-dom.production.min.js", "18.2.0",
        "sha384-bm7MnzvK++ykSwVJ2tynSE5TRdN+xL418osEVF2DE/L/gfWHj91J2Sphe582B1Bh",
    ),
    Upstream(
        "graphiql.min.js", "graphiql/graphiql.min.js", "3.8.3",
        "sha384-HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie",
    ),
)  # fmt: skip


class Asset:
    """One file, read once, also compressed once."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.body = path.read_bytes()
        if name in _STRANGERS:
            self.body = self.body.replace(_STRANGERS[name], b"data:,")
        self.digest = sha256(self.body).hexdigest()[:16]
        self.media_type = _MEDIA_TYPES[path.suffix]

    @property
    def path(self) -> str:
        """Where it is served, below the gateway's root."""
        return f"{ASSETS_PATH}/{self.digest}/{self.name}"

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, mtime=0)


@cache
def assets() -> Mapping[str, Asset]:
    """Every asset by its name. GraphiQL's are among them only if all four are installed."""
    found = {name: Asset(name, HERE / "static" / name) for name in _OWN}
    static = Path(str(files("fastapi_offline") / "static"))
    found |= {name: Asset(name, static / name) for name in _FROM_PYTHON}
    installed = {file.name: HERE / "node_modules" / file.installed for file in GRAPHIQL}
    if all(path.is_file() for path in installed.values()):
        found |= {name: Asset(name, path) for name, path in installed.items()}
    return found


async def serve_asset(request: Request) -> Response:
    """`/assets/{digest}/{name}`: 200 with the file. Raises `not_found` for whatever is not named above."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise Problem(NOT_FOUND)
    current = asset.digest == request.path_params["digest"]
    # During a rolling deployment a page of one release may ask a process of another: it gets what there is, unkept.
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "Vary": "Accept-Encoding",
    }
    body = asset.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = await run_in_threadpool(lambda: asset.compressed)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)
