"""Dataloaders: one per relation (and arguments), each batch in a read session of its own, policies applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any
from uuid import UUID

from aiodataloader import DataLoader

from services.catalogue import Actor, Operation, Relation
from services.catalogue.resources import Resource
from services.engine.authorization import Readable
from services.engine.gateway import Gateway
from services.queries.lists import ListArguments, Page, Record

Batch = Callable[[list[UUID]], Awaitable[Mapping[UUID, Any]]]


class Loaders:
    """The loaders of one operation; what is loaded once is not loaded again."""

    def __init__(self, gateway: Gateway, actor: Actor) -> None:
        self._gateway, self._actor = gateway, actor
        self._loaders: dict[Hashable, DataLoader[UUID, Any]] = {}

    def allow(self, asked: Operation | Resource[Any]) -> Readable:
        """What may be loaded, or read otherwise. Raises `unauthenticated` and `insufficient_scope`."""
        return self._gateway.allow(asked, self._actor)

    async def row(self, of: Readable, key: UUID) -> Record | None:
        """The row with this key, if it is readable."""
        found: Record | None = await self._load(of.resource.name, lambda keys: self._gateway.rows(of, keys), key)
        return found

    async def page(self, of: Readable, relation: Relation, key: UUID, arguments: ListArguments) -> Page:
        """A page of a to-many relation of the row with this key."""
        batch: Batch = lambda keys: self._gateway.pages_below(of, relation, keys, arguments)  # noqa: E731
        page: Page = await self._load((relation, arguments), batch, key)
        return page

    async def count(self, of: Readable, relation: Relation, key: UUID, arguments: ListArguments) -> int:
        """The size of the whole of a to-many relation."""
        batch: Batch = lambda keys: self._gateway.counts_below(of, relation, keys, arguments)  # noqa: E731
        return int(await self._load((relation, arguments, "count"), batch, key))

    async def _load(self, name: Hashable, batch: Batch, key: UUID) -> Any:
        if name not in self._loaders:

            async def load(keys: list[UUID]) -> list[Any]:
                found = await batch(keys)
                return [found.get(key) for key in keys]

            self._loaders[name] = DataLoader(load)
        # Who waits may be cancelled because a sibling failed; others wait for the same row.
        return await asyncio.shield(self._loaders[name].load(key))
