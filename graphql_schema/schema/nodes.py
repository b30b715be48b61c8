"""The identifiers of `node` and `nodes`: which rows they name, and whether the caller may read such rows at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from services.catalogue import Actor, Problem
from services.engine.authorization import Readable
from services.engine.gateway import Gateway

Located: TypeAlias = "tuple[Readable, UUID]"


def located(gateway: Gateway, actor: Actor, identifier: str, path: tuple[str | int, ...]) -> Located:
    """What an identifier names. Raises as `Catalogue.locate` and `Gateway.allow`."""
    resource, key = gateway.catalogue.locate(identifier, path)
    return gateway.allow(resource, actor), key


def located_each(gateway: Gateway, actor: Actor, identifiers: Sequence[str]) -> Sequence[Located | Problem]:
    """What each of several names, or what is wrong with it.

    Raises `validation_failed` for too many, and the first Problem where nothing is beside them to be kept.
    """
    most = gateway.limits.GRAPHQL_MAX_NODES
    if len(identifiers) > most:
        raise Problem.field("ids", "length", f"At most {most} can be found at once.")
    found: list[Located | Problem] = []
    for index, each in enumerate(identifiers):
        try:
            found.append(located(gateway, actor, each, ("ids", index)))
        except Problem as problem:
            found.append(problem)
    problems = [each for each in found if isinstance(each, Problem)]
    if problems and len(problems) == len(found):
        raise problems[0]
    return found
