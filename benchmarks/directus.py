"""Directus needs more than a start: tables of its own, in a database of its own, and to be told of the relations."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from typing import Any, Final

from benchmarks import database, node
from benchmarks.database import Servers

DATABASE: Final = "bench_directus"
_TOKEN: Final = "benchmark-token-benchmark-token"  # noqa: S105 - of an admin that exists here only
# Not its `cli.js`, which first asks whether there is a newer version.
_CLI: Final = "node_modules/@directus/api/dist/cli/run.js"
HEADERS: Final = {"Authorization": f"Bearer {_TOKEN}"}

# It knows no composite keys.
_SURROGATE: Final = (
    "alter table item_labels drop constraint pk_item_labels, add unique (item_id, label_id),"
    " add column id bigint generated always as identity primary key"
)

_RELATIONS: Final[tuple[tuple[str, str, str, dict[str, str]], ...]] = (
    ("comments", "item_id", "items", {"one_field": "comments"}),
    ("item_labels", "item_id", "items", {"one_field": "labels", "junction_field": "label_id"}),
    ("item_labels", "label_id", "labels", {"junction_field": "item_id"}),
    ("items", "parent_id", "items", {"one_field": "children"}),
)


def environment(servers: Servers, port: int) -> dict[str, str]:
    """Its settings: an admin's token, so that it checks no permissions, and nothing that it could do beside."""
    return {
        "DB_CLIENT": "pg", "DB_HOST": servers.sockets, "DB_PORT": "5432", "DB_DATABASE": DATABASE,
        "DB_USER": "postgres", "DB_PASSWORD": "unused", "HOST": "127.0.0.1", "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}", "SECRET": "3f9c1e7ab5d04826" * 4, "TELEMETRY": "false",
        "ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": database.PASSWORD, "ADMIN_TOKEN": _TOKEN,
        "SERVE_APP": "false", "PRESSURE_LIMITER_ENABLED": "false", "LOG_LEVEL": "info", "NODE_ENV": "production",
    }  # fmt: skip


def prepare(servers: Servers) -> None:
    """Install it and give it a database."""
    node.install("directus")
    servers.copy(servers.template, DATABASE)
    servers.execute(database.DEFAULTS, _SURROGATE, "vacuum (analyze)", database=DATABASE)
    subprocess.run(  # noqa: S603 - Node
        [*command(0)[:-1], "bootstrap"], cwd=node.PEERS / "directus", env=os.environ | environment(servers, 0),
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def command(_: int) -> list[str]:
    """What starts it."""
    return [str(node.program()), _CLI, "start"]


def declare_relations(port: int) -> None:
    """Tell it of the relations that its look at the tables does not find."""
    for collection, column, related, meta in _RELATIONS:
        if "one_field" in meta:
            special = "m2m" if "junction_field" in meta else "o2m"
            _post(port, "/fields/items", {"field": meta["one_field"], "type": "alias", "meta": {"special": [special]}})
        relation = {"collection": collection, "field": column, "related_collection": related}
        _post(port, "/relations", {**relation, "meta": meta, "schema": None})


def _post(port: int, path: str, body: dict[str, Any]) -> None:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json", **HEADERS}
    )
    urllib.request.urlopen(asked, timeout=60).close()  # noqa: S310 - http, as it says
