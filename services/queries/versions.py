"""Versions of rows: entity tags (RFC 9110, section 8.8.3), and what a caller expects of them (section 13.1).

A tag is a digest of what the caller is shown: of the JSON bytes of a row's plain representation, which is all its
public fields in order, through the masks. So it is the same for the same content, on every worker and on both faces, it
needs no column, and nothing can be read off it that the caller does not see.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Literal

import orjson

from services.catalogue.naming import ETAG
from services.catalogue.problems import PRECONDITION_FAILED, Problem
from services.catalogue.resources import Resource
from services.queries.lists import Record
from services.queries.selections import Query, RowRoot, Selection, Tag

ANY: Final = "*"
"""Any version at all: what matters is that there is one."""
UNTAGGED: Final = " "
"""The version of a list that something is added to: it is there, and is none that a caller could name."""

REMEMBERED: Final = 1_000
_BYTES: Final = 15
LENGTH: Final = 20
"""Characters of a tag: base64 of so many bytes, without padding."""
_CODED: Final = ("-gzip", "-zstd")
"""What REST adds to the tags of compressed answers."""

Tags = frozenset[str] | Literal["*"]


def tag_of(content: bytes) -> str:
    """The tag of a representation, without quotes, in base64's alphabet for URLs."""
    return urlsafe_b64encode(blake2b(content, digest_size=_BYTES).digest()).decode()


def tag_of_fields(shown: Mapping[str, Any]) -> str:
    """The tag of a row by all its public fields, in order, in their JSON form."""
    return tag_of(orjson.dumps(shown))


def tag_of_record(resource: Resource[Any], record: Record) -> str:
    """The tag of a row by its record."""
    return tag_of_fields({name: resource.serialise(name, record[name]) for name in resource.fields})


@lru_cache(maxsize=REMEMBERED)
def tag_query(resource: Resource[Any]) -> Query:
    """Reads the tag of the row whose key is the one input, under `ETAG` in the root `ETAG`."""
    return Query((RowRoot(ETAG, resource, None, 0, Selection((Tag(ETAG),))),))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a caller expects of the version that something has now.

    `match` (RFC 9110's If-Match, GraphQL's `expectedVersion`): it is one of these. `none_match` (If-None-Match): it is
    none of these. `*` stands for any version; None: nothing is expected.
    """

    match: Tags | None = None
    none_match: Tags | None = None

    @classmethod
    def version(cls, tag: str | None) -> Expected | None:
        """One version, or `*`; nothing where there is none. It may be as a compressed answer of REST had it."""
        if tag is None:
            return None
        if tag[LENGTH:] in _CODED:
            tag = tag[:LENGTH]
        return cls(ANY if tag == ANY else frozenset({tag}))

    def check(self, current: str | None) -> None:
        """What has to hold for a write; `current` is None where there is nothing. Raises `precondition_failed`."""
        if self.is_known(current):
            raise Problem(PRECONDITION_FAILED)

    def is_known(self, current: str | None) -> bool:
        """Whether the caller has what could be read, by `none_match`. Raises `precondition_failed` by `match`.

        The order is that of RFC 9110, section 13.2.2.
        """
        if self.match is not None and not _includes(self.match, current):
            raise Problem(PRECONDITION_FAILED)
        return self.none_match is not None and _includes(self.none_match, current)


def _includes(tags: Tags, current: str | None) -> bool:
    return current is not None and (tags == ANY or current in tags)
