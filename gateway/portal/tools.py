"""GraphiQL, and the account that the pages offer to sign in to."""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from gateway.portal.assets import GRAPHIQL, assets
from gateway.portal.pages import page, tool_policy


class Demo(NamedTuple):
    """An account that everybody may sign in to."""

    username: str
    password: str


def graphiql_page(
    project_name: str, api_prefix: str, base: str = "", *, documents: str = "any", introspection: bool = True,
    demo: Demo | None = None,
) -> Response:  # fmt: skip
    """GraphiQL, for the GraphQL endpoint to answer with; its operations go to the address it was loaded from.

    Where npm has not installed GraphiQL, it comes from the upstream CDN, with integrity hashes, and the page says so;
    as it does where not all `documents` (GRAPHQL_DOCUMENTS) are run, or there is no introspection.
    """
    installed = all(file.name in assets() for file in GRAPHIQL)
    return page(
        "graphiql.html", base=base, policy=tool_policy(upstream=[] if installed else [file.url for file in GRAPHIQL]),
        vary="Accept", project=project_name, tool="GraphiQL", api=api_prefix, demo=demo, graphiql=GRAPHIQL,
        installed=installed, documents=documents, introspection=introspection,
    )  # fmt: skip
