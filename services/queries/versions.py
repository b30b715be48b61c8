"""Versions of rows: entity tags (RFC 9110, section 8.8.3) and preconditions (section 13.1).

A tag is a digest of the JSON bytes of a row's plain representation: all its public fields in order, through the masks.
So it is the same for the same content on every worker and on both faces, needs no column, and reveals nothing that the
caller cannot see.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Final, Literal

import orjson

from services.catalogue.naming import ETAG
from services.catalogue.problems import PRECONDITION_FAILED, Problem
from services.catalogue.resources import Resource
from services.queries.lists import Record
from services.queries.selections import Query, RowRoot, Selection, Tag

ANY: Final = "*"
"""Any version, as long as there is one."""
UNTAGGED: Final = " "
"""The version of a list that a row is added to: it exists, but no caller can name it."""

_BYTES: Final = 15
LENGTH: Final = 20
"""Characters of a tag: base64 of `_BYTES` bytes, without padding."""
_CODED: Final = ("-gzip", "-zstd")
"""Suffixes that REST appends to the tags of compressed responses."""

Tags = frozenset[str] | Literal["*"]


def tag_of(content: bytes) -> str:
    """Return the tag of a representation, without quotes, in base64's URL-safe alphabet."""
    return urlsafe_b64encode(blake2b(content, digest_size=_BYTES).digest()).decode()


def tag_of_fields(shown: Mapping[str, Any]) -> str:
    """Return the tag of a row by all its public fields, in order, in their JSON form."""
    return tag_of(orjson.dumps(shown))


def tag_of_record(resource: Resource[Any], record: Record) -> str:
    return tag_of_fields({name: resource.serialise(name, record[name]) for name in resource.fields})


@cache
def tag_query(resource: Resource[Any]) -> Query:
    """Return the query of the tag of the row whose key is the one input, under `ETAG` in the root `ETAG`."""
    return Query((RowRoot(ETAG, resource, None, 0, Selection((Tag(ETAG),))),))


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Preconditions on the current version of a row or list.

    `match` (RFC 9110's If-Match, GraphQL's `expectedVersion`): it is one of these. `none_match` (If-None-Match): it is
    none of these. `*` stands for any version, None for no precondition.
    """

    match: Tags | None = None
    none_match: Tags | None = None

    @classmethod
    def version(cls, tag: str | None) -> Preconditions | None:
        """Return the precondition of one tag, which may have a compressed response's suffix; None without one."""
        if tag is None:
            return None
        if tag[LENGTH:] in _CODED:
            tag = tag[:LENGTH]
        return cls(ANY if tag == ANY else frozenset({tag}))

    def check(self, current: str | None) -> None:
        """Check the preconditions of a write. `current` is None without a row. Raises `precondition_failed`."""
        if self.is_known(current):
            raise Problem(PRECONDITION_FAILED)

    def is_known(self, current: str | None) -> bool:
        """Return whether the caller already has the current version, by `none_match`.

        Raises `precondition_failed` by `match`. The order is that of RFC 9110, section 13.2.2.
        """
        if self.match is not None and not _includes(self.match, current):
            raise Problem(PRECONDITION_FAILED)
        return self.none_match is not None and _includes(self.none_match, current)


def _includes(tags: Tags, current: str | None) -> bool:
    return current is not None and (tags == ANY or current in tags)
