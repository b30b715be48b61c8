"""What the documents need to know about the process they are in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Accepted(StrEnum):
    """Which GraphQL documents are run."""

    ANY = "any"
    """Whatever is valid."""
    PERSISTED = "persisted"
    """Those named by hash or identifier; only who is signed in may bring new ones."""
    TRUSTED = "trusted"
    """Those that the operator has registered."""


@dataclass(frozen=True, slots=True)
class DocumentsConfig:
    """Which documents are run, and the bounds of those that clients persist.

    `document_bytes` is the size of one at most, `documents` and `total_bytes` are what all of them may take in Redis,
    `seconds` is how long they are kept there, `writes` is how many one actor may add, in the syntax of the library
    `limits`. `remembered_bytes` is what each worker holds of them.
    """

    accepted: Accepted = Accepted.ANY
    document_bytes: int = 50_000
    documents: int = 10_000
    total_bytes: int = 50_000_000
    seconds: int = 7 * 86_400
    writes: str = "60/minute"
    remembered_bytes: int = 2_000_000
