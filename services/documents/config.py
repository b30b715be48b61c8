from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AcceptedDocuments(StrEnum):
    """Which GraphQL documents are executed."""

    ANY = "any"
    """Any valid document."""
    PERSISTED = "persisted"
    """Documents named by hash or identifier; only signed-in callers may persist new ones."""
    TRUSTED = "trusted"
    """Documents that the operator has registered."""


@dataclass(frozen=True, slots=True)
class DocumentsConfig:
    """Which documents are executed, and the limits of those that clients persist.

    `document_bytes` is the maximum size of one document, `documents` and `total_bytes` are the maximum number and size
    of all in Redis, where they are kept for `seconds`. `writes` is the rate at which one actor may add documents, in
    the syntax of the library `limits`. `remembered_bytes` is the size of each worker's cache.
    """

    accepted: AcceptedDocuments = AcceptedDocuments.ANY
    document_bytes: int = 50_000
    documents: int = 10_000
    total_bytes: int = 50_000_000
    seconds: int = 7 * 86_400
    writes: str = "60/minute"
    remembered_bytes: int = 2_000_000
