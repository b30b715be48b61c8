"""Opaque cursors: signed positions in a list, bound to its resource and order.

A cursor is the base64url form (RFC 4648, unpadded) of a MAC followed by the JSON list of the order's values in a row.
The MAC covers these values, the resource and the order. A cursor that was modified, or belongs to another order, is a
Problem.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import orjson

from services.catalogue.models import parse_value
from services.catalogue.problems import Problem
from services.catalogue.resources import Resource

_MAC_BYTES: Final = 12
MAX_CURSOR: Final = 2_000
"""Characters of a cursor. The values of an order are short, so genuine cursors are much shorter."""


@dataclass(frozen=True, slots=True)
class SortTerm:
    """One term of a list's order. Nulls are greater than any value, as in PostgreSQL."""

    field: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field}" if self.descending else self.field

    @property
    def reversed(self) -> SortTerm:
        return SortTerm(self.field, not self.descending)


@dataclass(frozen=True, slots=True)
class CursorCodec:
    """Signs and verifies cursors with a key derived from the process's secret."""

    key: bytes

    def encode(self, resource: Resource[Any], order: Sequence[SortTerm], values: Sequence[Any]) -> str:
        """Return the cursor of a row with these values of the order's fields."""
        # An enum's values stay text, because another version may know more of them.
        plain = [
            str(value) if isinstance(value, str) else resource.serialise(term.field, value)
            for term, value in zip(order, values, strict=True)
        ]
        return self.sign(resource, order, plain)

    def sign(self, resource: Resource[Any], order: Sequence[SortTerm], plain: Sequence[Any]) -> str:
        """Return the cursor of values in their JSON form."""
        body = orjson.dumps(plain)
        return urlsafe_b64encode(self._mac(resource, order, body) + body).rstrip(b"=").decode()

    def decode(
        self, resource: Resource[Any], order: Sequence[SortTerm], text: str, path: tuple[str | int, ...] = ("after",)
    ) -> tuple[Any, ...]:
        """Return the typed order values of a cursor. Raises `validation_failed` with the path."""
        try:
            if len(text) > MAX_CURSOR or "=" in text:
                raise ValueError("form")
            raw = b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(resource, order, body)):
                raise ValueError("signature")
        except ValueError:
            raise Problem.field(path, "cursor", "This cursor does not belong to this list and order.") from None
        plain = orjson.loads(body)
        return tuple(
            value if value is None or resource.fields[term.field].enum is not None
            else parse_value(resource.adapter(term.field), value, path)
            for term, value in zip(order, plain, strict=True)
        )  # fmt: skip

    def _mac(self, resource: Resource[Any], order: Sequence[SortTerm], body: bytes) -> bytes:
        fields = resource.fields
        # An order by an enum is marked, because earlier versions sorted enums alphabetically under the same name.
        names = [f"{term}#" if fields[term.field].enum is not None else str(term) for term in order]
        bound = f"{resource.name}?{','.join(names)}:".encode()
        return blake2b(bound + body, digest_size=_MAC_BYTES, key=self.key, person=b"cursor").digest()
