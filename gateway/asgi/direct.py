"""The shortest way to an operation."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

_ID = "{id}"


class Application(FastAPI):
    """FastAPI, past whose layers and routing some requests go: those that `direct` has an application for.

    It is asked by method and path; a path may have `{id}` for its segment behind the last but one, or the last. These
    requests pass the gateway's own middleware like all others; what else FastAPI and Starlette put around a request,
    they have no use for.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.direct: dict[tuple[str, str], ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = self._find(scope) if scope["type"] == "http" else None
        if application is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await application(scope, receive, send)

    def _find(self, scope: Scope) -> ASGIApp | None:
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        found = self.direct.get((method, path)) if _ID not in path else None
        if found is not None:
            return found
        # `…/items/itm_1` and `…/items/itm_1/labels`
        above, _, last = path.rpartition("/")
        beyond, _, middle = above.rpartition("/")
        for pattern, identifier in ((f"{above}/{_ID}", last), (f"{beyond}/{_ID}/{last}", middle)):
            found = self.direct.get((method, pattern)) if identifier else None
            if found is not None:
                scope["path_params"] = {"id": identifier}
                return found
        return None
