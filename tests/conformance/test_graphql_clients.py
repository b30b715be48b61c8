"""Clients that others' generators make of the GraphQL schema: without a warning, strictly typed, and called."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import strawberry
from graphql import parse, validate

from gateway.settings import Settings
from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway
from tests.conformance.linters import graphql_eslint
from tests.conformance.programs import HERE, printed, ran
from tests.conformance.whole_schema import documents
from tests.support.server import LiveServer, live_gateway

CLIENTS: Final = HERE / "graphql_clients"
PACKAGES: Final = CLIENTS / "node_modules"
PYTHON: Final = HERE.parents[1] / ".tools" / "clients" / "bin"

needs_npm = pytest.mark.skipif(
    shutil.which("node") is None or not PACKAGES.is_dir(), reason="The clients are not fetched: make conformance-tools"
)
needs_python = pytest.mark.skipif(not PYTHON.is_dir(), reason="ariadne-codegen is not fetched: make client-tools")


@dataclass(frozen=True)
class Workshop:
    """A folder where clients are generated, and what their programs are told."""

    folder: Path
    environment: Mapping[str, str]

    async def run(self, *command: str | Path) -> tuple[int, str, str]:
        """How a program ends in this folder."""
        return await ran(*command, folder=self.folder, environment={**os.environ, **self.environment})

    async def call(self, *command: str | Path) -> Any:
        """What a client tells of its calls; its rows are its own."""
        environment = {**os.environ, **self.environment, "BATCH": f"{uuid4().hex[:8]}-"}
        return await printed(*command, folder=self.folder, environment=environment)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[LiveServer]:
    """A gateway with demo data that takes files."""
    with live_gateway(settings.model_copy(update={"GRAPHQL_UPLOADS": True}), demo=True) as found:
        yield found


@pytest.fixture(scope="module")
def schema(gateway: Gateway) -> strawberry.Schema:
    """What it serves."""
    return build_schema(gateway.catalogue, uploads=True)


@pytest.fixture(scope="module")
def workshop(server: LiveServer, schema: strawberry.Schema, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The clients' sources, with documents that use all of the schema."""
    folder = tmp_path_factory.mktemp("clients") / "all"
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "schema.graphql").write_text(schema.as_str())
    (folder / "documents" / "everything.graphql").write_text(documents(schema._schema))
    told = {"GRAPHQL_URL": f"{server.url}/graphql", "USERNAME": server.username, "PASSWORD": server.password}
    return Workshop(folder, told)


@pytest.fixture(scope="module")
async def typescript(workshop: Workshop) -> Workshop:
    """With the clients in TypeScript generated and compiled."""
    (workshop.folder / "relay" / "generated").mkdir()
    generated, compiled = await asyncio.gather(
        workshop.run("node_modules/.bin/graphql-codegen", "--config", "codegen.yml"),
        workshop.run("node_modules/.bin/relay-compiler", "relay.config.json"),
    )
    for code, out, err in (generated, compiled):
        assert (code, err) == (0, ""), out
        assert "warn" not in out.lower()
    assert await workshop.run("node_modules/.bin/tsc") == (0, "", "")
    shutil.copy(workshop.folder / "relay" / "package.json", workshop.folder / "out" / "relay")
    return workshop


@pytest.fixture(scope="module")
async def python(workshop: Workshop) -> Workshop:
    """With the client in Python generated and checked."""
    code, out, err = await workshop.run(PYTHON / "ariadne-codegen", "--config", "ariadne.toml")
    assert (code, err) == (0, ""), out
    assert "warn" not in out.lower()
    code, out, _ = await workshop.run(PYTHON / "mypy", "graphql_client", "ariadne_calls.py")
    assert code == 0, out
    return workshop


ITEM: Final[dict[str, Any]] = {"description": None, "priority": 0, "labels": []}
TOLD: Final[dict[str, Any]] = {
    "created": [
        {**ITEM, "title": "1", "status": "OPEN", "dueAt": None},
        {**ITEM, "title": "3", "status": "IN_PROGRESS", "dueAt": "2030-01-31T12:00:00.000000Z"},
    ],
    # Set, left out, and null.
    "updated": ["told", "told", None],
    "stale": {"code": "precondition_failed", "status": 412, "fields": []},
    "invalid": {"code": "validation_failed", "status": 422, "fields": [["title", "length"]]},
    "found": "OPEN",
    "pages": [{"titles": ["3", "2"], "totalCount": 3}, {"titles": ["0"], "totalCount": 3}],
    # By a variable of the type Upload, and by one that holds it.
    "uploads": [["named.txt", "text/plain"], ["engine.txt", "text/plain"]],
}


def test_documents_use_all_of_the_schema(schema: strawberry.Schema) -> None:
    core = schema._schema
    assert core.query_type is not None
    assert core.mutation_type is not None
    document = parse(documents(core))
    assert len(document.definitions) == len(core.query_type.fields) + len(core.mutation_type.fields)
    assert validate(core, document) == []


@needs_npm
@pytest.mark.parametrize("client", ["urql", "apollo"])
async def test_a_client_in_typescript_calls(typescript: Workshop, client: str) -> None:
    assert await typescript.call("node", f"out/src/{client}.js") == TOLD


@needs_npm
async def test_relay_pages_and_finds(typescript: Workshop) -> None:
    told = await typescript.call("node", "out/relay/calls.js")
    assert told == {"items": [["3", "OPEN"], ["2", "OPEN"], ["1", "OPEN"]], "node": "3"}


@needs_python
async def test_the_client_of_ariadne_codegen_calls(python: Workshop) -> None:
    assert await python.call(PYTHON / "python", "ariadne_calls.py") == TOLD


@needs_npm
async def test_the_linter_finds_nothing_in_the_schema_with_uploads(workshop: Workshop) -> None:
    assert await graphql_eslint(workshop.folder / "schema.graphql") == []
