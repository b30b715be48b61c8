"""Dataloaders: one per relation (and arguments), each batch in a read session of its own, policies applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any
from uuid import UUID

from aiodataloader import DataLoader

from services.catalogue import Actor, Relation
from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from services.queries.lists import ListArguments, Page, Record
from services.reader.records import Records

Batch = Callable[[Records, list[UUID]], Awaitable[dict[UUID, Any]]]


class Loaders:
    """The loaders of one operation; what is loaded once is not loaded again."""

    def __init__(self, gateway: Gateway, actor: Actor) -> None:
        self._gateway, self._actor = gateway, actor
        self._loaders: dict[Hashable, DataLoader[UUID, Any]] = {}

    async def row(self, resource: Resource[Any], key: UUID) -> Record | None:
        """The row with this key, if it is readable."""
        batch: Batch = lambda records, keys: records.many(resource, keys)  # noqa: E731
        found: Record | None = await self._load(resource.name, batch, key)
        return found

    async def page(self, relation: Relation, key: UUID, arguments: ListArguments) -> Page:
        """A page of a to-many relation of the row with this key."""
        batch: Batch = lambda records, keys: records.related(relation, keys, arguments)  # noqa: E731
        page: Page = await self._load((relation, arguments), batch, key)
        return page

    async def count(self, relation: Relation, key: UUID, arguments: ListArguments) -> int:
        """The size of the whole of a to-many relation."""
        batch: Batch = lambda records, keys: records.related_counts(relation, keys, arguments)  # noqa: E731
        return int(await self._load((relation, arguments, "count"), batch, key))

    async def _load(self, name: Hashable, batch: Batch, key: UUID) -> Any:
        # Who waits may be cancelled because a sibling failed; others wait for the same row.
        return await asyncio.shield(self._loader(name, batch).load(key))

    def _loader(self, name: Hashable, batch: Batch) -> DataLoader[UUID, Any]:
        if name not in self._loaders:

            async def load(keys: list[UUID]) -> list[Any]:
                async with self._gateway.records(self._actor) as records:
                    found = await batch(records, keys)
                return [found.get(key) for key in keys]

            self._loaders[name] = DataLoader(load)
        return self._loaders[name]
