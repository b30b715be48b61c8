"""What there is to ask for: the values, identifiers and cursors that occur in the data, and some that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from services.queries.cursors import CursorCodec, SortTerm
from services.queries.lists import MAX_SORTS, ListArguments
from tests.support.generated.choices import Choices
from tests.support.generated.village import Village

Plain = dict[str, Any]
"""A row in REST's JSON."""

NOT_CURSORS: Final = ("", "nonsense", "AAAA=", "\u00e4", "bm9uc2Vuc2U")
NOT_IDENTIFIERS: Final = ("", "nonsense", "itm_", "ITM_0", "xyz_" + "0" * 32, "itm_" + "g" * 32)
NOT_INSTANTS: Final = ("", "yesterday", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z", "2030-01-01T24:00:00Z")
TEXTS: Final = (
    "", "a", "E", "%", "_", "\\", "bee", "brass", "nothing like it", '"', "ä", "🐞", "a,b", "\u00a0e\u2028",
    "e\u0301\u0302", "\u200bbee\ufeff", "\ufb01\u2126", "\U0001f469\u200d\U0001f467", "\u05e9\u202ea", "\u0130\u03c2",
    "\x00", "x" * 501,
)  # fmt: skip
"""The last two are not valid."""
SEARCHES: Final = (
    "brass",
    "wheel",
    "bee -story",
    '"brass wheels"',
    "",
    "the",
    "monday or brass",
    "🐝",
    "\x00",
    "x" * 201,
)
INSTANTS: Final = (
    "2030-01-01T02:00:00+02:00", "2020-01-01t01:00:00.25z", "1999-12-31T23:59:59.999999-00:30",
    "2020-01-01T01:00:00.1234567Z", "2020-01-01T01:00:00,123456789+14:00", "2016-12-31T23:59:60Z",
    "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59-00:00",
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """The rows of each resource, everything included, as REST shows them to an admin."""

    resources: Mapping[str, Resource[Any]]
    """By the names of their types."""
    rows: Mapping[str, Sequence[Plain]]
    """By the names of their types too."""
    cursors: CursorCodec

    def values(self, type_name: str, field: str) -> list[Any]:
        """The values of a field (in GraphQL's name), as GraphQL has them."""
        resource = self.resources[type_name]
        name = next(each for each in resource.fields if camel(each) == field)
        kind = resource.fields[name]
        found = [row[name] for row in self.rows[type_name] if row[name] is not None]
        return [each.upper() if kind.enum is not None else each for each in found]

    def identifiers(self, type_name: str) -> list[str]:
        """Those of all rows."""
        return [row["id"] for row in self.rows[type_name]]

    def unknown(self, type_name: str) -> str:
        """A well-formed identifier of nothing."""
        return self.resources[type_name].encode(UUID(int=1))

    def cursor(self, type_name: str, order: Sequence[tuple[str, bool]], choices: Choices) -> str | None:
        """A cursor of an order (fields, and whether descending); None when an order is impossible."""
        resource = self.resources[type_name]
        names = [name for name, _ in order]
        if len(set(names)) < len(names) or len(names) > MAX_SORTS:
            return None
        full = [SortTerm(name, descending) for name, descending in order]
        if "id" not in names:
            full.append(SortTerm("id", full[-1].descending if full else True))
        row = choices.of(self.rows[type_name])
        return self.cursors.sign(resource, full, [row[each.field] for each in full])


async def gather_material(gateway: Gateway, village: Village) -> Material:
    """Everything there is."""
    resources = {pascal(each.name): each for each in gateway.catalogue.resources.values()}
    rows: dict[str, list[Plain]] = {}
    async with gateway.records(village.caller("root, admin").actor) as records:
        for name, resource in resources.items():
            page = await records.page(resource, ListArguments((SortTerm("id"),), limit=100))
            rows[name] = [dict(_plain(resource, record)) for record in page.records]
            assert rows[name], name
    return Material(resources, rows, gateway.cursors)


def _plain(resource: Resource[Any], record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in resource.fields:
        yield name, resource.serialise(name, record[name])
