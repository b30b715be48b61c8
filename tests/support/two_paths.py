"""What two applications need that answer the same requests on the compiled and on the general path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

from gateway.settings import Settings
from graphql_schema.documents.parsing import DocumentCache, ParsedDocument
from tests.conftest import TEMPLATE, with_database
from tests.support.databases import run_sql


@asynccontextmanager
async def validated_once() -> AsyncIterator[None]:
    """Both applications validate each document, against equal schemas: the second takes what the first has found."""
    prepare, last = DocumentCache._prepare, dict[str, ParsedDocument]()

    def remembered(self: DocumentCache, text: str) -> ParsedDocument:
        if text not in last:
            last.clear()
            last[text] = prepare(self, text)
        return last[text]

    with patch.object(DocumentCache, "_prepare", remembered):
        yield


@asynccontextmanager
async def cloned_database(settings: Settings, name: str) -> AsyncIterator[str]:
    """The URL of a new database with empty tables, dropped at the end."""
    await run_sql(settings.database_url, f"drop database if exists {name} with (force)")
    await run_sql(settings.database_url, f"create database {name} template {TEMPLATE}")
    yield with_database(settings.database_url, name)
    await run_sql(settings.database_url, f"drop database {name} with (force)")


def on_path(settings: Settings, url: str, *, compiled: bool) -> Settings:
    """The settings of an application that reads by compiled plans, or by resolvers."""
    # Tokens must outlive the longest run. The longest documents have more loaders than the usual pool has connections,
    # and on a busy machine the last of them would wait for one longer than requests may.
    own = {
        "DATABASE_URL": url, "DATABASE_POOL_SIZE": 30, "ACCESS_TOKEN_EXPIRE_MINUTES": 100_000,
        "COMPILED_READS": compiled, "PLAN_ON_SIGHT": 1,
    }  # fmt: skip
    return Settings(_env_file=None, **{**settings.model_dump(), **own})
