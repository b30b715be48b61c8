"""The identifiers of `node` and `nodes`: which rows they name, and whether the caller may read such rows at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from services.catalogue import Actor, Catalogue, Problem
from services.catalogue.resources import Resource
from services.engine.authorization import authorize_read

Located: TypeAlias = "tuple[Resource[Any], UUID]"


def located(catalogue: Catalogue, actor: Actor, identifier: str, path: tuple[str | int, ...]) -> Located:
    """What an identifier names. Raises as `Catalogue.locate` and `authorize_read`."""
    resource, key = catalogue.locate(identifier, path)
    authorize_read(resource, actor)
    return resource, key


def located_each(
    catalogue: Catalogue, actor: Actor, identifiers: Sequence[str], most: int
) -> Sequence[Located | Problem]:
    """What each of several names, or what is wrong with it.

    Raises `validation_failed` for more than so many, and the first Problem where nothing is beside them to be kept.
    """
    if len(identifiers) > most:
        raise Problem.field("ids", "length", f"At most {most} can be found at once.")
    found = [_located_or_problem(catalogue, actor, each, index) for index, each in enumerate(identifiers)]
    problems = [each for each in found if isinstance(each, Problem)]
    if problems and len(problems) == len(found):
        raise problems[0]
    return found


def _located_or_problem(catalogue: Catalogue, actor: Actor, identifier: str, index: int) -> Located | Problem:
    try:
        return located(catalogue, actor, identifier, ("ids", index))
    except Problem as problem:
        return problem
