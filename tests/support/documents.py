"""GraphQL documents by their hashes, and trusted ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson

from services.documents.registering import NewDocument, add_documents, list_documents, remove_documents
from services.documents.trusted import TrustedDocuments
from tests.support.apps import Running

ME = "query Me { me { id } }"


def fresh() -> str:
    """A document that nobody has sent yet."""
    return f"query Me{uuid4().hex} {{ me {{ id }} }}"


def hash_of(text: str) -> str:
    """The SHA-256 that Apollo's clients send."""
    return sha256(text.encode()).hexdigest()


def persisted_query(text: str, *, send: bool = False, version: Any = 1, **more: Any) -> dict[str, Any]:
    """A body of Apollo's protocol: the hash of the text, and the text if that is to be sent."""
    body = {"extensions": {"persistedQuery": {"version": version, "sha256Hash": hash_of(text)}}, **more}
    return {"query": text, **body} if send else body


def in_query_string(body: Mapping[str, Any]) -> dict[str, str]:
    """The body of a POST as the parameters of a GET."""
    return {name: each if isinstance(each, str) else orjson.dumps(each).decode() for name, each in body.items()}


def document(text: str, name: str | None, *, id: str = "", kind: str = "query") -> NewDocument:
    """A document of a manifest, by its hash if nothing else is said."""
    return NewDocument(id or hash_of(text), name, kind, text)


async def register(worker: Running, *documents: NewDocument, publish: tuple[str, ...] = ()) -> None:
    """Trust documents; this worker knows of it at once."""
    await add_documents(worker.gateway.database, documents, publish)
    await ask_again(worker)


async def forget_all(worker: Running) -> None:
    """Trust no document any more; this worker knows of it at once."""
    known = [each.id for each in await list_documents(worker.gateway.database)]
    await remove_documents(worker.gateway.database, known)
    await ask_again(worker)


async def ask_again(worker: Running) -> None:
    """What the worker knows of trusted documents counts no longer, nor what it is being told at the moment."""
    known = worker.gateway.part(TrustedDocuments)
    if known._refreshing is not None:
        await asyncio.wait({known._refreshing})
    known._refreshed_at = float("-inf")
